"""One round: a run that is disturbed several times, given its command until it ends, and judged."""

import random
import shutil
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.chaos import disturbances, hooks
from tests.chaos.disturbances import HANG_SECONDS, SPARE_BYTES, Live
from tests.chaos.judging import Ending, differences, explains, names
from tests.chaos.launching import CommandLaunch, Launch, WarmLaunch, WarmServer
from tests.runs import NARROW

STEPS = 24
LENGTH = ("global_batch_size=8", "epochs=40", "eval_interval=2", f"max_steps={STEPS}")
# a record a step: a record ends where a checkpoint is made, and a signal may ask for one at any step
SAVING = ("checkpoint_interval=3", "keep_best=lm_loss", "log_interval=1")
METHODS = {
    "trm": ("pretrain.py", "arch=trm", "arch.halt_max_steps=4"),
    "dis": ("train_arc_tiny_corrupt.py", "arch=dis", "arch.halt_max_steps=3", "optimizer=adam_atan2"),
}
LAUNCHES_TO_END = 4
LAUNCH_SECONDS = 240.0
LIVE_KINDS = ("kill", "kill in a write", "SIGTERM", "SIGUSR1", "rank stopped", "disk full", "file size limit")
REST_KINDS = ("file damaged", "all checkpoints damaged")
assert NARROW


@dataclass(frozen=True)
class Variant:
    """A method with or without averaged weights, on one rank or two."""

    method: str
    ema: bool
    ranks: int
    sharded: bool = False

    @property
    def name(self) -> str:
        """For folders and tables."""
        return f"{self.method}{'-ema' if self.ema else ''}-{self.ranks}{'-sharded' if self.sharded else ''}"

    def overrides(self, dataset: Path, run: Path) -> tuple[str, ...]:
        """The command's."""
        place = (f"data_paths=[{dataset}]", f"checkpoint_path={run}")
        own = (f"ema={self.ema}", f"shard_puzzle_emb={self.sharded}")
        return (*METHODS[self.method][1:], *place, *own, *LENGTH, *SAVING)


@dataclass
class Undisturbed:
    """A run that nothing befell: how it ended, seconds it took, file operations it made."""

    ending: Ending
    seconds: float
    operations: int


@dataclass
class Outcome:
    """survived, said so or failed; what befell it, and why it is judged so."""

    verdict: str
    kinds: list[str]
    story: list[str] = field(default_factory=list)


class Arena:
    """Where rounds are held.

    Args:
        server: None: every launch by the true command line.
        mount: a small file system for rounds with a full disk; None: there are none.
    """

    def __init__(self, folder: Path, dataset: Path, server: WarmServer | None, mount: Path | None) -> None:
        self.folder, self.dataset, self.server, self.mount = folder, dataset, server, mount
        self._undisturbed: dict[Variant, Undisturbed] = {}

    def start(
        self, variant: Variant, run: Path, log: Path, live: Live, ranks: int | None = None, warm: bool = True
    ) -> Launch:
        """One launch of the run's command."""
        script = METHODS[variant.method][0]
        overrides = (*variant.overrides(self.dataset, run), *live.overrides)
        count, folder = ranks or variant.ranks, log.parent
        if self.server is None or not warm:
            return CommandLaunch(script, overrides, folder, log, count, live.restarts)
        return WarmLaunch(self.server, script, overrides, folder, log, count, live.restarts, first_rank=live.variables)

    def undisturbed(self, variant: Variant) -> Undisturbed:
        """Made once for each variant."""
        if variant not in self._undisturbed:
            folder = self.folder / variant.name
            folder.mkdir(parents=True)
            count, log, run = folder / "operations", folder / "log", folder / "run"
            live = Live("none", variables={hooks.RUN: str(run), hooks.COUNT: str(count)})
            begin = time.monotonic()
            launch = self.start(variant, run, log, live)
            launch.wait(LAUNCH_SECONDS)
            assert launch.code == 0, log.read_text()
            operations = int(count.read_text()) if count.exists() else 0
            seconds = time.monotonic() - begin
            self._undisturbed[variant] = Undisturbed(Ending.of(run, STEPS), seconds, operations)
        return self._undisturbed[variant]


class Round:
    """Draws what befalls one run, lets it happen, and judges."""

    def __init__(self, arena: Arena, number: int, seed: str, warm: bool = True, cheap: bool = False) -> None:
        """
        Args:
            warm: forked launches, else the true command line.  cheap: one rank, one disturbed launch.
        """
        self.random, self.arena = random.Random(f"{seed}-{number}"), arena
        self.warm, self.cheap = warm, cheap
        self.variant = Variant(
            method=self.random.choice(sorted(METHODS)),
            ema=self.random.random() < 0.5,
            ranks=1 if self.random.random() < 0.6 else 2,
        )
        if self.variant.ranks == 2 and self.random.random() < 0.25:
            self.variant = Variant(self.variant.method, self.variant.ema, 2, sharded=True)
        if cheap:
            self.variant = Variant(sorted(METHODS)[sum(map(ord, seed)) % 2], ema=True, ranks=1)
        rare = self.random.random() < 0.15
        self.changes_ranks = rare and warm and not cheap and not self.variant.sharded
        self.place = arena.folder / f"round_{number}"
        self.kinds: list[str] = []
        self.story: list[str] = []
        self.damaged: list[Path] = []

    def hold(self) -> Outcome:
        """Disturb, launch to the end, judge."""
        self.place.mkdir()
        whole = self.arena.undisturbed(self.variant)
        if self.changes_ranks:
            self.kinds.append("ranks changed")
        lives = [self._draw(whole) for _ in range(1 if self.cheap else self.random.choice((1, 1, 2, 2, 3)))]
        self.on_small_disk = any(live.kind == "disk full" for live in lives)
        self.run = (self.arena.mount / self.place.name if self.on_small_disk else self.place) / "run"  # type: ignore[operator]
        self.run.parent.mkdir(exist_ok=True)
        try:
            for live in lives:
                self._disturb(live)
            return self._judge(whole)
        except (TimeoutError, AssertionError) as error:
            return self._outcome("failed", f"{error}")
        finally:
            if self.arena.mount is not None:
                disturbances.make_room(self.arena.mount)
                shutil.rmtree(self.arena.mount / self.place.name, ignore_errors=True)

    def _draw(self, whole: Undisturbed) -> Live:
        kinds = [*LIVE_KINDS]
        if self.arena.mount is None:
            kinds.remove("disk full")
        if not self.warm:  # the hooks are the warm launcher's
            kinds = [kind for kind in kinds if kind not in ("kill in a write", "file size limit")]
        if self.cheap:
            kinds.remove("rank stopped")  # longer than a launch
        if self.variant.ranks == 2:
            kinds += ["one rank killed"] * 2
        kind = self.random.choice(kinds)
        seconds = whole.seconds * self.random.uniform(0.1, 1.0)
        which = self.random.random()
        makers: dict[str, Callable[[], Live]] = {
            "kill": lambda: Live(kind, seconds, disturbances.kill_all),
            "kill in a write": lambda: Live(kind),
            "SIGTERM": lambda: Live(kind, seconds, disturbances.ask(signal.SIGTERM)),
            "SIGUSR1": lambda: Live(kind, seconds, disturbances.ask(signal.SIGUSR1)),
            "rank stopped": lambda: Live(
                kind,
                seconds,
                disturbances.stop_one(which, 2.5 * HANG_SECONDS),
                overrides=(f"hang_timeout={HANG_SECONDS}",),
            ),
            "one rank killed": lambda: Live(kind, seconds, disturbances.kill_one(which), restarts=2),
            "disk full": lambda: Live(kind, seconds),
            "file size limit": lambda: Live(
                kind, variables=disturbances.limited_files(self.random.choice((300, 3000, 20_000, 60_000)))
            ),
        }
        return makers[kind]()

    def _disturb(self, live: Live) -> None:
        """One launch with what befalls it, and often damage to its files afterwards."""
        self.kinds.append(live.kind)
        if live.kind == "kill in a write":
            operations = self.arena.undisturbed(self.variant).operations
            live.variables = disturbances.kill_at_operation(self.run, self.random.randint(1, operations))
        if live.kind == "disk full":
            assert self.arena.mount is not None
            left = self.random.choice((0, SPARE_BYTES, 8 * SPARE_BYTES))
            live.act = disturbances.disk_full(self.arena.mount, left)
            if self.random.random() < 0.3:
                live.seconds = 0.0
        self._launch(live)
        if self.arena.mount is not None:
            disturbances.make_room(self.arena.mount)
        chance = self.random.random()
        if chance < 0.5:
            for _ in range(self.random.choice((1, 1, 2))):
                file = disturbances.damage(self.random, self.run)
                if file is not None:
                    self._note_damage("file damaged", [file])
        elif chance < 0.55 and (files := disturbances.damage_all_checkpoints(self.random, self.run)):
            self._note_damage("all checkpoints damaged", files)

    def _note_damage(self, kind: str, files: list[Path]) -> None:
        self.kinds.append(kind)
        self.damaged += files
        self.story.append(f"{kind}: " + ", ".join(str(file.relative_to(self.run)) for file in files))

    def _launch(self, live: Live) -> int:
        log = self.place / f"launch_{len(list(self.place.glob('launch_*')))}"
        ranks = self.random.choice((1, 2)) if self.changes_ranks else self.variant.ranks
        launch = self.arena.start(self.variant, self.run, log, live, ranks, self.warm)
        live.watch(launch, LAUNCH_SECONDS)
        assert launch.code is not None
        at = "" if live.seconds is None else f" at {live.seconds:.2f} s"
        self.story.append(f"{log.name}: {ranks} ranks, {live.kind}{at} {dict(live.variables)}: {launch.code}")
        return launch.code

    def _judge(self, whole: Undisturbed) -> Outcome:
        code = -1
        for _ in range(LAUNCHES_TO_END):
            code = self._launch(Live("none"))
            if code in (0, 2):
                break
        output = "\n".join(log.read_text(errors="replace") for log in sorted(self.place.glob("launch_*")))
        last = max(self.place.glob("launch_*"), key=lambda f: f.stat().st_mtime).read_text(errors="replace")
        if "Traceback (most recent call last)" in last:
            return self._outcome("failed", "a traceback in the last launch")
        if code == 2 and explains(last, self.damaged, self.run):
            return self._outcome("said so", last[last.rfind("error: ") :])
        if code != 0:
            return self._outcome("failed", f"ended with {code}: {last[-800:]}")
        wrong = differences(self.run, STEPS, whole.ending, bitwise=not self.changes_ranks)
        unsaid = [one for one in wrong if not names(output, one)]
        if unsaid:
            return self._outcome("failed", f"differs without a word: {unsaid}")
        return self._outcome("said so" if wrong else "survived", f"differs and says so: {wrong}" if wrong else "")

    def _outcome(self, verdict: str, why: str) -> Outcome:
        return Outcome(verdict, self.kinds, [self.variant.name, *self.story, why])
