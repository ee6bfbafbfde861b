"""What Snakemake finds as its logger "finefit": a run on one screen (`finefit.screen`), chosen by the local profile.

Whoever asks Snakemake itself to speak (--verbose, --printshellcmds, --dry-run, --debug-dag) gets its own words.
"""

from __future__ import annotations

import sys
from logging import Handler, LogRecord

from snakemake_interface_logger_plugins.base import LogHandlerBase


class LogHandler(LogHandlerBase):
    """Hands Snakemake's records to the display, or to Snakemake's own stream."""

    def __post_init__(self) -> None:
        self.stream = None if self.shows else self.snakemakes()
        if self.shows:
            from rich.console import Console

            from finefit.screen.display import Display

            asked = self.common_settings
            self.display = Display(Console(stderr=not asked.stdout, no_color=asked.nocolor or None, highlight=False))

    @property
    def shows(self) -> bool:
        """Whether the run is shown by the display, and not by Snakemake's own words."""
        asked = self.common_settings
        return not any((asked.verbose, asked.printshellcmds, asked.dryrun, asked.debug_dag))

    def snakemakes(self) -> Handler:
        """The handler that Snakemake has where there is no plugin."""
        from snakemake.logging import ColorizingTextHandler, DefaultFormatter

        asked = self.common_settings
        stream = sys.stdout if asked.stdout else sys.stderr
        formatter = DefaultFormatter(asked.quiet, asked.show_failed_logs)
        return ColorizingTextHandler(asked.nocolor, stream, formatter)

    def emit(self, record: LogRecord) -> None:
        """Show one record; a fault of the display is told and stops nothing."""
        if self.stream is not None:
            self.stream.handle(record)
            return
        try:
            self.display.handle(record)
        except Exception:
            self.handleError(record)

    def close(self) -> None:
        """Leave the terminal as it was."""
        if self.stream is None:
            self.display.close()
        super().close()

    @property
    def writes_to_stream(self) -> bool:
        """It is what the terminal shows."""
        return True

    @property
    def writes_to_file(self) -> bool:
        """It writes none: Snakemake's own log is its own."""
        return False

    @property
    def has_filter(self) -> bool:
        """It leaves to Snakemake what --quiet hides."""
        return False

    @property
    def has_formatter(self) -> bool:
        """It formats by itself."""
        return True

    @property
    def needs_rulegraph(self) -> bool:
        """It knows the study's own plan."""
        return False
