from ranker.artifact import MANIFEST, numbered


def test_versions_are_folders_with_a_manifest_and_the_name_of_a_whole_number(tmp_path):
    for name in ("1", "12", "03", "0", "²", "٣", "-1", "x", "1.5"):
        (tmp_path / name).mkdir()
        (tmp_path / name / MANIFEST).touch()
    (tmp_path / "2").mkdir()
    assert numbered(tmp_path) == {1: tmp_path / "1", 12: tmp_path / "12"}
    assert numbered(tmp_path / "none") == {}
