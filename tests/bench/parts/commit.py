"""From a commit to its being served: a line of code changes, then `make image push deploy-dev`."""

import measure

TITLE = "Commit to served"
UNIT = "s"
OURS = "make image push deploy-dev"
SERVED = "until it answers"
STEPS = ("image", "push", "deploy-dev until it answers", "deploy-dev after that: drain, tidy")
WAYS = {OURS: None, **dict.fromkeys(STEPS)}
LIMIT = 15  # seconds
VERSIONS = {"docker": "docker version --format {{.Server.Version}}"}


def missing() -> dict[str, str]:
    """Return the ways that can't be measured here, with the reason."""
    return measure.without_engine([OURS])


def measured(bench: measure.Bench):
    """Yield a row for each step of each run."""
    if missing():
        return
    bench.up()
    for number, _ in bench.turns([OURS]):
        revision = bench.change_code(f"{bench.work.name} {number}")
        file = bench.work / "steps"
        file.unlink(missing_ok=True)
        answering = measure.Answering("dev", revision)
        answering.look()
        bench.make("image", "push", "deploy-dev", DELIVERY_STEPS=str(file))
        served = answering.seconds()
        image, push, deploy = (float(line.split()[0]) for line in file.read_text().splitlines())
        before = served - image - push
        for way, value in zip(WAYS, (served, image, push, before, deploy - before), strict=True):
            yield {"case": SERVED if way == OURS else "its steps", "way": way, "value": value}


def besides(rows: list[dict]) -> str:
    """Return nothing: the seconds are all there is."""
    return ""


def goals(found) -> list[tuple[bool, str]]:
    """Return which goals are met."""
    whole = found[SERVED, OURS].median
    largest = max(STEPS[:3], key=lambda step: found["its steps", step].median)
    seconds = found["its steps", largest].median
    text = f"at most {LIMIT} s from the command to the answer: {whole:.1f} s"
    return [(whole <= LIMIT, f"{text}; the largest step is {largest}, {seconds:.1f} s")]
