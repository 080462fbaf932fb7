"""The grading policy of this course: read by every nbgrader command that runs in this folder."""

# Only the standard library: an exception here would be logged, and nbgrader would go on without
# this file, grading with its own list of steps.
import os
import sys

c = get_config()  # noqa: F821

# nbgrader calls `alembic` by name; this finds it where the environment is not activated.
os.environ["PATH"] = os.path.dirname(sys.executable) + os.pathsep + os.environ.get("PATH", "")

# ---- the course ----------------------------------------------------------------------------------
c.CourseDirectory.course_id = "pytorch-autograd"
c.CourseDirectory.root = os.path.dirname(os.path.abspath(__file__))

# Names of files, say, come from students: no log shows what a terminal would obey.
c.NbGrader.logging_config = {
    "filters": {"plain": {"()": "autograder.text.PlainLog"}},
    "handlers": {"console": {"filters": ["plain"]}},
}

# ---- releasing: `release/` is part of the repository and is made anew each time ------------------
c.GenerateAssignment.force = True
# It refuses several notebooks in an assignment, and writes the due date, if there is one, into it.
c.GenerateAssignment.exporter_class = "autograder.pipeline.release.ReleaseExporter"

# ---- grading: the trusted side. Each step is one class; the order matters. -----------------------
# It also checks the course, before anything is graded.
c.Autograde.exporter_class = "autograder.pipeline.exporter.SubmissionExporter"
c.Exporter.optimistic_validation = True  # of the notebook's form: once, after all steps
c.Autograde.sanitize_preprocessors = [
    # Locked cells, missing cells and all metadata as released: nothing is left to do for nbgrader's
    # OverwriteCells, OverwriteKernelspec, DeduplicateIds and CheckCellMetadata.
    "autograder.pipeline.restore.RestoreNotebook",
    "nbgrader.preprocessors.ClearOutput",
]
c.Autograde.autograde_preprocessors = [
    "autograder.pipeline.grade.GradeNotebook",  # runs the student kernel, and the suites here
    "autograder.pipeline.safe.SafeNotebook",  # from here on the kernel is gone
    "autograder.pipeline.history.LookBack",
    "autograder.pipeline.save.WriteResults",
    "nbgrader.preprocessors.LimitOutput",
    "autograder.pipeline.save.SaveGrades",  # all scores of a submission at once
    "autograder.pipeline.history.KeepHistory",  # of hand-ins, a line each: history/
    "nbgrader.preprocessors.AssignLatePenalties",
]

# ---- late work -----------------------------------------------------------------------------------
# No points are taken off. "zero" takes all of them; for anything between, see "late submission
# plugin" in nbgrader's documentation.
c.LateSubmissionPlugin.penalty_method = "none"

# ---- feedback ------------------------------------------------------------------------------------
c.GenerateFeedback.exporter_class = "autograder.pipeline.feedback.FeedbackExporter"

# ---- grading by hand: the instructor's answer and mark scheme beside the student's ---------------
c.HTMLExporter.preprocessors = ["autograder.pipeline.scheme.MarkScheme"]

# ---- export --------------------------------------------------------------------------------------
# By `--exporter=…` also autograder.pipeline.exports.Canvas and autograder.pipeline.exports.Moodle.
c.ExportApp.plugin_class = "autograder.pipeline.exports.Grades"

# ---- limits of one submission --------------------------------------------------------------------
c.GradeNotebook.cell_seconds = 60
c.GradeNotebook.probe_seconds = 20
c.GradeNotebook.submission_seconds = 300
c.GradeNotebook.output_bytes = 2**20
c.GradeNotebook.replays = 3
c.GradeNotebook.memory_bytes = 4 * 2**30  # above the warm kernel's own
c.GradeNotebook.processes = 256  # and threads
c.GradeNotebook.file_bytes = 100 * 2**20
c.GradeNotebook.shared_memory_bytes = 256 * 2**20
c.GradeNotebook.open_files = 1024
c.GradeNotebook.grader_seconds = 60  # of the grader's own work on it
c.GradeNotebook.grader_bytes = 2**30
# What may be handed in at all: c.SubmissionExporter.files, …, see autograder/submission/limits.py.

# ---- feedback at once: `python -m autograder watch` ----------------------------------------------
c.Watch.gradings_a_day = 5  # of one student's work on one assignment
c.Watch.counts = "last"  # or "best"
