"""What the course panel asks of JupyterLab's server: the course's state, a check, a reset.

Each question is one `infinity` command in a process of its own, started with a list of arguments
and no shell, one at a time. Nothing is graded or decided here. Every request needs the server's
token, and one that changes something its XSRF token, as all of Jupyter's do.
"""

import asyncio
import json
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from jupyter_server.base.handlers import APIHandler
from jupyter_server.utils import url_path_join
from tornado import web

# A check takes seconds; what takes longer than this hangs.
COMMAND_SECONDS = 180
# More than a report of any project takes.
MAX_ANSWER_BYTES = 16 * 2**20
MAX_REQUEST_BYTES = 4096

SLUG = re.compile(r"[0-9]{2}-[a-z0-9-]{1,60}")
EXERCISE = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]{0,99}")


class CourseError(Exception):
    """A sentence for the student."""


class Course:
    """The course below `root`, beside JupyterLab's own folder `server_root`."""

    def __init__(self, root, server_root, node):
        self._root = Path(root).resolve()
        self._server_root = Path(server_root).expanduser().resolve()
        self._node = node
        self._turn = asyncio.Lock()
        self._known = (None, None)

    async def status(self):
        """What `infinity course` tells, asked again only when a file has changed since."""
        changes = self._changes()
        if self._known[0] != changes:
            course = parsed(*await self._run("course", "--json"))
            # Where JupyterLab finds the course's files, or None where it shows another folder.
            course["folder"] = self._folder()
            self._known = (changes, course)
        return self._known[1]

    async def check(self, slug, exercise):
        """Grades a project or one exercise of it: the points, and why nothing ran where nothing did."""
        only = [] if exercise is None else ["--only", exercise]
        report = parsed(*await self._run("grade", slug, *only, "--json"))
        return {key: report.get(key) for key in ("slug", "problem", "points", "maxPoints")}

    async def reset(self, slug, exercise):
        """Puts an exercise's stub back; the sentence says where the backup is."""
        status, answer, complaint = await self._run("reset", slug, exercise)
        if status != 0:
            raise CourseError(sentence(status, complaint))
        return {"message": answer.strip()}

    async def _run(self, *args):
        async with self._turn:
            return await asyncio.to_thread(self._wait_for, args)

    def _wait_for(self, args):
        """Runs one command to its end: exit status, standard output and standard error."""
        command = [self._node, str(self._root / "src" / "cli" / "infinity.js"), *args]
        with tempfile.TemporaryFile() as answer, tempfile.TemporaryFile() as complaint:
            try:
                process = subprocess.Popen(
                    command,
                    cwd=self._root,
                    stdin=subprocess.DEVNULL,
                    stdout=answer,
                    stderr=complaint,
                )
            except OSError as error:
                raise CourseError(f"{self._node} could not be started: {error.strerror}.") from None
            try:
                status = process.wait(COMMAND_SECONDS)
            except subprocess.TimeoutExpired:
                end(process)
                raise CourseError(
                    f"infinity {args[0]} took longer than {COMMAND_SECONDS} seconds and was ended."
                ) from None
            return status, text_of(answer), text_of(complaint)

    def _changes(self):
        """Differs when anything differs that the course's state depends on."""
        exercises = sorted((self._root / "exercises").glob("*.ts"))
        files = [self._root / ".infinity" / "progress.json", *exercises]
        notebooks = sorted(path.name for path in (self._root / "notebooks").glob("*.ipynb"))
        return [*map(stamp, files), *notebooks]

    def _folder(self):
        try:
            folder = self._root.relative_to(self._server_root).as_posix()
        except ValueError:
            return None
        return "" if folder == "." else f"{folder}/"


def stamp(path):
    try:
        found = path.stat()
    except FileNotFoundError:
        return (path.name, None)
    return (path.name, found.st_mtime_ns, found.st_size)


def end(process):
    """Lets the command end the student's process first."""
    process.terminate()
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def text_of(file):
    if file.seek(0, os.SEEK_END) > MAX_ANSWER_BYTES:
        raise CourseError(f"The answer is larger than {MAX_ANSWER_BYTES // 2**20} MB.")
    file.seek(0)
    return file.read().decode("utf-8", errors="replace")


def parsed(status, answer, complaint):
    """A submission that fails ends with status 1 and a report; only a report counts."""
    try:
        value = json.loads(answer)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise CourseError(sentence(status, complaint))
    return value


def sentence(status, complaint):
    """The command's own last sentence, and never a stack."""
    own = [line for line in complaint.splitlines() if line.startswith("infinity: ")]
    return own[-1].removeprefix("infinity: ") if own else f"infinity ended with status {status}."


class CourseHandler(APIHandler):
    """One question of the panel; a failure is answered as `{"message": sentence}`."""

    def initialize(self, course):
        self._course = course

    async def reply(self, question):
        try:
            self.finish(json.dumps(await question))
        except CourseError as error:
            self.refuse(500, str(error))

    def refuse(self, status, message):
        self.set_status(status)
        self.finish(json.dumps({"message": message}))

    def wanted(self, exercise_needed):
        """The request's project and exercise; None, and a refusal, where it names neither well."""
        body = self.request.body
        try:
            wanted = json.loads(body) if len(body) <= MAX_REQUEST_BYTES else None
        except ValueError:
            wanted = None
        if not isinstance(wanted, dict):
            wanted = {}
        slug, exercise = wanted.get("slug"), wanted.get("exercise")
        named = matches(EXERCISE, exercise) or (exercise is None and not exercise_needed)
        if matches(SLUG, slug) and named:
            return slug, exercise
        needed = "slug and exercise" if exercise_needed else "slug, and exercise if one is meant"
        self.refuse(400, f"Give a JSON object with {needed}, as strings.")
        return None


def matches(pattern, value):
    return isinstance(value, str) and pattern.fullmatch(value) is not None


class StatusHandler(CourseHandler):
    @web.authenticated
    async def get(self):
        await self.reply(self._course.status())


class CheckHandler(CourseHandler):
    @web.authenticated
    async def post(self):
        wanted = self.wanted(exercise_needed=False)
        if wanted:
            await self.reply(self._course.check(*wanted))


class ResetHandler(CourseHandler):
    @web.authenticated
    async def post(self):
        wanted = self.wanted(exercise_needed=True)
        if wanted:
            await self.reply(self._course.reset(*wanted))


def _jupyter_server_extension_points():
    return [{"module": "infinity_course"}]


def _load_jupyter_server_extension(server):
    """Jupyter's entry: INFINITY_ROOT names another course than the one this file belongs to."""
    root = os.environ.get("INFINITY_ROOT") or Path(__file__).resolve().parents[2]
    node = os.environ.get("INFINITY_NODE") or shutil.which("node") or "node"
    course = Course(root, server.root_dir, node)
    base = server.web_app.settings["base_url"]
    routes = {"course": StatusHandler, "check": CheckHandler, "reset": ResetHandler}
    server.web_app.add_handlers(
        ".*$",
        [
            (url_path_join(base, "infinity", name), handler, {"course": course})
            for name, handler in routes.items()
        ],
    )
