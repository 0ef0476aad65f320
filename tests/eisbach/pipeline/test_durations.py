import json
import subprocess
import sys

from eisbach.pipeline.durations import FOLDER, Clock


def test_a_stage_of_dvc_leaves_its_time(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DVC_STAGE", "sub/dvc.yaml:finetune@3")
    Clock().record()
    took = json.loads((FOLDER / "sub_dvc.yaml:finetune@3.json").read_text())
    assert took["stage"] == "sub/dvc.yaml:finetune@3"
    assert 0 <= took["cpu_s"] <= 1


def test_the_work_of_child_processes_counts(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DVC_STAGE", "toys")
    clock = Clock()
    subprocess.run([sys.executable, "-c", "import time\nwhile time.process_time() < 0.5: pass"], check=True)
    clock.record()
    assert json.loads((FOLDER / "toys.json").read_text())["cpu_s"] >= 0.5


def test_nothing_is_left_outside_dvc(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DVC_STAGE", raising=False)
    Clock().record()
    assert list(tmp_path.iterdir()) == []
