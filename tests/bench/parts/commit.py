"""From a commit to the answer with it: a line of code changes, then `make image push deploy-dev`."""

import measure

UNIT = "s"
OURS = "make image push deploy-dev"
SERVED = "until it answers"
STEPS = ("image", "push", "deploy-dev until it answers", "deploy-dev after that: drain, tidy")
WAYS = (OURS, *STEPS)
NEEDS = {OURS: "docker"}
TOOLS = ("docker",)
LIMIT = 15  # seconds


def measured(bench: measure.Bench, ways: list[str]):
    bench.up()
    for number, _ in bench.turns([OURS]):
        revision = bench.change_code(f"{bench.work.name} {number}")
        file = bench.work / f"steps-{number}"
        answering = measure.Answering("dev", revision)
        answering.start()
        bench.make("image", "push", "deploy-dev", DELIVERY_STEPS=str(file))
        served = answering.seconds()
        image, push, deploy = (float(line.split()[0]) for line in file.read_text().splitlines())
        before = served - image - push
        yield {"case": SERVED, "way": OURS, "value": served}
        for step, value in zip(STEPS, (image, push, before, deploy - before), strict=True):
            yield {"case": "its steps", "way": step, "value": value}


def goals(found):
    whole = found[SERVED, OURS].median
    largest = max(STEPS[:3], key=lambda step: found["its steps", step].median)
    seconds = found["its steps", largest].median
    text = f"at most {LIMIT} s from the command to the answer: {whole:.1f} s"
    yield whole <= LIMIT, f"{text}; the largest step is {largest}, {seconds:.1f} s"
