"""What a server answers by, put together from its environment at the start and again when that changes.

On SIGHUP, and when the file that MERGELINE_PIN names changed, a thread of its own loads what is wanted beside what
runs; requests meet the one or the other. What cannot be loaded is refused with a log line, and what runs goes on.
"""

import logging
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from ...bundle import Bundle
from ...errors import Integrity, MergelineError
from .arms import Arms, Beside, Experiment, Release
from .fetch import BUNDLES, fetch
from .shadow import Shadowed

EXPERIMENT = "MERGELINE_EXPERIMENT"
PIN = "MERGELINE_PIN"
LOOK_SECONDS = 1.0

log = logging.getLogger("mergeline.serve")


class Pin(msgspec.Struct, frozen=True):
    """As much of pin.json as a server needs."""

    release: Release | None = None
    experiment: Experiment | None = None


class Source:
    """Where a server's bundles come from; `prepare` loads and verifies a folder, `record` gets what a shadow said."""

    def __init__(
        self,
        folder: Path,
        expected: str | None,
        release: str | None,
        environ: Mapping[str, str],
        prepare: Callable[[Path, str | None], Bundle],
        record: Callable[[Shadowed], None] = lambda _: None,
    ) -> None:
        self._folder, self._expected, self._release = folder, expected, release
        self._prepare, self.record = prepare, record
        self._bundles = environ.get(BUNDLES, "")
        self._experiment = environ.get(EXPERIMENT, "")
        self._pin = Path(environ[PIN]) if environ.get(PIN) else None
        self._seen = b""

    @property
    def watched(self) -> bool:
        """Say whether there is a file to look at."""
        return self._pin is not None

    def changed(self) -> bool:
        """Say whether the pin's file is another one than was loaded last, or tried."""
        try:
            return self._pin is not None and self._pin.read_bytes() != self._seen
        except OSError:
            return False  # it is being replaced, or gone: what runs goes on

    def arms(self) -> Arms:
        """Load what is wanted now. An experiment that cannot be had is left out, with a line in the log.

        Raises:
            Integrity: the pinned release's bundle is not there, or not what it says; or the pin cannot be read.
        """
        if self._pin is None:
            return self._beside(self._prepare(self._folder, self._expected), self._release, self._experiment.encode())
        try:
            self._seen = self._pin.read_bytes()
            pin = msgspec.json.decode(self._seen, type=Pin)
        except (OSError, msgspec.MsgspecError) as error:
            raise Integrity(f"the pin {self._pin} cannot be read: {error}") from error
        if pin.release is None:
            raise Integrity(f"the pin {self._pin} names no release", "Let it name one; what runs goes on.")
        return self._beside(
            self._pinned(pin.release.model.bundle_id),
            pin.release.id,
            msgspec.json.encode(pin.experiment) if pin.experiment else b"",
        )

    def _pinned(self, bundle_id: str) -> Bundle:
        """Give the pin's bundle, from the folder that was named at the start where that holds it."""
        try:
            return self._prepare(self._folder, bundle_id)
        except Integrity:
            if not self._bundles:
                raise
        return fetch(self._bundles, bundle_id, self._prepare)

    def _beside(self, bundle: Bundle, release: str | None, said: bytes) -> Arms:
        if not said:
            return Arms(bundle, release)
        try:
            wanted = msgspec.json.decode(said, type=Experiment)
            other = fetch(self._bundles, wanted.release.model.bundle_id, self._prepare)
            beside = Beside(wanted, other, bundle, self.record)
        except Exception as error:  # whatever is wrong with an experiment, the pinned release serves
            trouble = str(error) if isinstance(error, MergelineError) else f"{type(error).__name__}: {error}"
            log.error("no experiment: the pinned release serves alone", extra={"fields": {"reason": trouble}})
            return Arms(bundle, release, trouble=trouble)
        fields = {"kind": wanted.kind, "share": wanted.share, "release": wanted.release.id}
        log.info("experiment", extra={"fields": fields})
        return Arms(bundle, release, beside)


class Reloader:
    """The thread that looks at the pin and waits for `ring`; `use` takes what was loaded.

    Attributes:
        done: how often something was loaded.
        refused: how often it could not be.
    """

    def __init__(self, source: Source, use: Callable[[Arms], None]) -> None:
        self.done, self.refused = 0, 0
        self._source, self._use = source, use
        self._rung, self._stopped = False, False
        self._bell = threading.Event()
        self._thread = threading.Thread(target=self._run, name="reload", daemon=True)
        self._thread.start()

    def ring(self, *_: object) -> None:
        """Load again now; harmless in a signal handler."""
        self._rung = True
        self._bell.set()

    def close(self) -> None:
        """End the thread."""
        self._stopped = True
        self._bell.set()
        self._thread.join()

    def _run(self) -> None:
        while True:
            self._bell.wait(LOOK_SECONDS if self._source.watched else None)
            self._bell.clear()
            if self._stopped:
                return
            rung, self._rung = self._rung, False
            if rung or self._source.changed():
                self._load()

    def _load(self) -> None:
        try:
            arms = self._source.arms()
            self._use(arms)
        except Exception as error:  # what runs goes on, whatever is wrong with what was to replace it
            self.refused += 1
            log.error("not reloaded: what ran before serves on", extra={"fields": {"reason": str(error)}})
            return
        self.done += 1
        log.info("reloaded", extra={"fields": {"release": arms.release, "bundle": arms.bundle.id}})
