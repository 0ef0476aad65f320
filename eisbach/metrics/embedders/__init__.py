"""Pretrained networks that embed a clip: functions from mono audio [samples] at their sample rate to a vector [D]."""
