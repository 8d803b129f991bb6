import numpy as np
from PIL import Image

from tests.docs.small_pictures import shrink


def test_frequent_and_rare_colours_stay_and_shades_become_the_nearest(tmp_path):
    shades = np.arange(300)
    pixels = np.full((4, 300, 3), 255, dtype=np.uint8)
    pixels[1:3] = np.stack([shades % 256, shades // 256 * 3, shades * 0], axis=1)
    pixels[3, 0] = [0, 200, 0]  # as rare as can be, and like no other
    file = tmp_path / "picture.png"
    Image.fromarray(pixels).save(file)
    shrink(file)
    with Image.open(file) as small:
        assert small.mode == "P"
        found = np.asarray(small.convert("RGB"))
    error = np.abs(found.astype(int) - pixels).max(axis=2)
    assert error[0].max() == error[3].max() == 0
    assert 0 < error.max() <= 2
