"""What `tapeline new` begins with: a recipe and a model that train as they are, to be changed."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from trainer.core.errors import ConfigError

FILES = ("recipe.toml", "model.py")


def write_template(folder: Path) -> None:
    """Make a folder with the files of the template, whole or not at all.

    Raises:
        ConfigError: There is something of that name already, or it cannot be written.
    """
    if folder.exists():
        raise ConfigError(f"{folder} is there already. Give the name of a new folder.")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".new-", dir=folder.parent) as temporary:
            made = Path(temporary) / folder.name
            made.mkdir()
            for name in FILES:
                shutil.copyfile(Path(__file__).with_name(name), made / name)
            made.replace(folder)
    except OSError as error:
        raise ConfigError(f"Cannot make {folder}: {error.strerror}.") from error
