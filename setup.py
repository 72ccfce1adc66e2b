"""What pyproject.toml cannot say: the folder ``models/`` is the package ``bayesmig.models``."""

from setuptools import find_packages, setup

setup(
    packages=[
        "bayesmig",
        "bayesmig.models",
        *(f"bayesmig.models.{name}" for name in find_packages("models")),
    ],
    package_dir={"bayesmig.models": "models"},
)
