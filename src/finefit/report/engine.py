"""How papermill executes notebooks here: as ever, but for when it writes them. Imported with the first notebook."""

from __future__ import annotations

from typing import Any

from papermill.engines import NBClientEngine, papermill_engines

NAME = "written once"


class WrittenOnce(NBClientEngine):
    """Writes the executed notebook in the end, failed or not.

    papermill's own engine writes it before and after every cell, which took a tenth of a report's time.
    """

    @classmethod
    def execute_managed_notebook(cls, nb_man: Any, kernel_name: str, **options: Any) -> None:
        """Execute the notebook that papermill manages."""
        place, nb_man.output_path = nb_man.output_path, None
        try:
            super().execute_managed_notebook(nb_man, kernel_name, **options)
        finally:
            nb_man.output_path = place
            nb_man.save()


papermill_engines.register(NAME, WrittenOnce)
