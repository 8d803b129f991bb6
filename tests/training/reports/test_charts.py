"""What charts say at their axes and in their legends."""

from training.reports.charts import PALETTE, heatmap, lines
from training.reports.page import Page

EPOCHS = [{"epoch": epoch, "of": task, "AUC": 0.5} for epoch in (1, 2, 3) for task in ("click", "like")]


def test_epochs_are_whole_numbers_at_the_axis():
    x = lines(EPOCHS, x="epoch", y="AUC", colour="of").to_dict()["encoding"]["x"]
    assert x["axis"] == {"values": [1, 2, 3], "format": ",d"}
    steps = [{**record, "epoch": record["epoch"] / 2} for record in EPOCHS]
    assert "values" not in lines(steps, x="epoch", y="AUC", colour="of").to_dict()["encoding"]["x"]["axis"]


def test_one_legend_stands_for_charts_of_the_same_names():
    colour = lines(EPOCHS, x="epoch", y="AUC", colour="of", names=["click", "like"]).to_dict()["encoding"]["color"]
    assert colour["legend"] is None
    assert colour["scale"] == {"domain": ["click", "like"], "range": list(PALETTE[:2])}
    page = Page("A page").legend(["like"], among=["click", "like"]).html()
    assert f'<i style="background:{PALETTE[1]}"></i>like' in page


def test_long_names_are_written_in_full():
    cells = [{"gate": "level_0_gate_watch_time (entropy 0.89)", "expert": "shared_0", "weight": 0.5}]
    layers = heatmap(cells, x="expert", y="gate", value="weight").to_dict()["layer"]
    assert all(layer["encoding"]["y"]["axis"] == {"labelLimit": 0} for layer in layers)
