"""Import every module of the packages."""

import importlib
import pkgutil

count = 0
for package in ("eisbach", "predictions", "toy_models", "benchmarks"):
    for module in pkgutil.walk_packages(importlib.import_module(package).__path__, f"{package}."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
            count += 1
print(f"{count} modules imported")
