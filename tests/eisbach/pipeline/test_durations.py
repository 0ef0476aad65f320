import json
import subprocess
import sys

from eisbach.pipeline.durations import FOLDER, Clock


def test_a_dvc_stage_writes_its_duration(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DVC_STAGE", "sub/dvc.yaml:finetune@3")
    Clock().record()
    took = json.loads((FOLDER / "sub_dvc.yaml:finetune@3.json").read_text())
    assert took["stage"] == "sub/dvc.yaml:finetune@3"
    assert 0 <= took["cpu_s"] <= 1
    assert 0 <= took["wall_s"] <= 60


def test_cpu_time_includes_child_processes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DVC_STAGE", "toys")
    clock = Clock()
    subprocess.run([sys.executable, "-c", "import time\nwhile time.process_time() < 0.5: pass"], check=True)
    clock.record()
    assert json.loads((FOLDER / "toys.json").read_text())["cpu_s"] >= 0.5


def test_nothing_is_written_outside_dvc(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DVC_STAGE", raising=False)
    Clock().record()
    assert list(tmp_path.iterdir()) == []
