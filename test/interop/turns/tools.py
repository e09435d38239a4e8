"""promtool and narthex print the same of the same blocks."""

import os
import shutil
import subprocess


def output(program, *arguments):
    run = subprocess.run([*program, *arguments], capture_output=True,
                         check=False)
    if run.returncode != 0:
        raise RuntimeError(f"{' '.join([*program, *arguments])}: "
                           f"{run.stderr[-2000:]!r}")
    return run.stdout.decode()


def by_series(dump):
    out = {}
    for line in dump.splitlines():
        end = line.rindex("}", 0, line.find("} ") + 1) + 1
        out.setdefault(line[:end], []).append(line[end:])
    return out


def same_dump(theirs, ours):
    """promtool up to 3.5 swallows the first and perhaps the second sample of a
    series of histograms, and what follows a change of kinds."""
    kinds = {" {count" in line for line in ours}
    if kinds == {False}:
        return theirs == ours
    if kinds == {True}:
        return theirs in (ours, ours[1:], ours[2:])
    return set(theirs) <= set(ours)


def sections(text):
    """Which of two equal counts comes first is left open; 2.x heads one line
    otherwise."""
    out, section = [], 0
    for line in text.replace("Total Series: ", "Series: ").splitlines():
        section += line == "" or line.endswith(":")
        out.append((section, line))
    return sorted(out)


class Tools:
    def __init__(self, promtool, narthex, old):
        self.programs = ([promtool, "tsdb"], [narthex, "tsdb"])
        self.old = old

    def both(self, *arguments):
        return [output(program, *arguments) for program in self.programs]

    def dumps(self, theirs, ours):
        """Of two directories with the same blocks."""
        match = []
        if self.old:  # it stops at the first histogram
            match = ['--match={__name__=~"t_.+|l_float"}']
        want, got = (by_series(output(program, "dump", *match, path))
                     for program, path in zip(self.programs, (theirs, ours)))
        if list(want) != [series for series in got if series in want]:
            raise RuntimeError(f"{ours}: not the same series are dumped: by "
                               f"promtool {list(want)}, by us {list(got)}")
        for series, lines in got.items():
            theirs_of_it = want.get(series, [])  # or it swallowed them all
            if not same_dump(theirs_of_it, lines):
                raise RuntimeError(f"promtool dumps {series} as "
                                   f"{theirs_of_it[:3]}..., narthex as "
                                   f"{lines[:3]}...")

    def rest(self, blocks):
        """The other verbs, and a block by itself."""
        verbs = [("list",), ("list", "-r")]
        if not self.old:
            verbs.append(("dump-openmetrics",))
        for verb in verbs:
            theirs, ours = self.both(*verb, blocks)
            if theirs != ours:
                raise RuntimeError(f"tsdb {' '.join(verb)} {blocks} differs:\n"
                                   f"{theirs}\n{ours}")
        names = sorted(n for n in os.listdir(blocks) if len(n) == 26)
        for name in names:
            extended = [] if self.old else ["--extended"]
            theirs, ours = self.both("analyze", *extended, "--limit=100000",
                                     blocks, name)
            if sections(theirs) != sections(ours):
                raise RuntimeError(f"tsdb analyze {blocks} {name} differs:\n"
                                   f"{theirs}\n{ours}")
            self.alone(f"{blocks}/{name}", f"{blocks}.alone", name)

    def alone(self, block, directory, name):
        shutil.rmtree(directory, ignore_errors=True)
        os.makedirs(f"{directory}/wal")
        shutil.copytree(block, f"{directory}/{name}")
        self.dumps(directory, f"{directory}/{name}")
        theirs, ours = (output(program, "list", path) for program, path in
                        zip(self.programs, (directory, f"{directory}/{name}")))
        if theirs != ours:
            raise RuntimeError(f"tsdb list of a block: {theirs}\n{ours}")
