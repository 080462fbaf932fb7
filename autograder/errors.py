"""Every error of this package, who raises it, and who can do something about it.

* AutograderError
  x CourseError                  the course is not fit to grade with; tells what to do, line by line
  x SuiteError                   a suite is not as suites must be; found before anything is graded
  x SuiteBroken                  a check asks what cannot be asked; found while it grades
  x SandboxError                 a sandboxed kernel could not be started
    + SandboxUnavailable         this machine has no usable sandbox; tells what to install or set
    + TemplateGone               the process that kernels are forked from ended: a new one will do
  x Failure                      a check that a student's work does not pass: what he reads
    + StudentError               the student's code did not get as far as returning a value
  x Explained                    one whose text is a sentence for people, in any language
    + BudgetSpent                a call of the worker's needed more time or memory than it may
      x TakenBack                within the worker's: its process was asked to end; it is done again
    + KernelTrouble              a probe was not answered: too late, dead, unreadable
    + NotANotebook               the submitted file cannot be graded
    + NotLean                    within its reading: no JSON of a notebook, or too many values
    + UnknownEncoding            within its reading: letters in no encoding that can be told
    + Unfit                      within the intake: a file or folder that is not taken
  x _Ended                       within the kernel's client: it will not answer any more
  x BadValue                     what a kernel sent is no value
  x Enough                       within the reading of code: more steps than honest work needs
  x _Cut                         within the connection to a kernel: what came is no ZMTP
  x Closed                       within a pool: it was closed before a submission's turn had come
  x ClusterError                 the cluster cannot be used; tells what to do, line by line
  x PoolLost                     within a pool's use: scheduler or workers are gone in the midst
  x WorkerUnfit                  a cluster's worker has not what a submission is to be graded with
  x InUse                        `demo`: the course folder holds work of others than the samples
  x CorpusError                  `audit`: an entry of the corpus that cannot be built
  x CannotCheck                  `check`: nothing to grade, or nothing to grade it with
  x NotUp                        within `check`: no service is up that would do
  x NotPrivate                   the folder of the service's door is not this user's alone
  x CannotServe                  `serve`: there can be no service, or there is one already
  x CannotWatch                  `watch`: no exchange, or another watch runs
  x NbGraderFailed               within `watch`: a step of nbgrader's came to nothing
  x CannotRegrade                `regrade`: nothing to grade again, or nothing came of it
  x CannotReport                 `report`: nothing to report on, or a file that cannot be written
  x CannotExport                 within an export: its file cannot be written

Raised by, and caught by:

* The machine and the course: CourseError by `grading/course.py` and the exporter, SuiteError by
  `grading/session.py`, SandboxUnavailable by `sandbox/`. Before the first submission they end the
  run; the exporter logs them (`pipeline/exporter.py`).
* The machine in the midst of a run: errors of the system, of a disk or the gradebook. They are told
  in a line by `pipeline/trouble.py`, and end the run; the next one goes on.
* The grader's own work on a submission: BudgetSpent by `grading/worker.py`, and whatever else goes
  wrong. Each step of `pipeline/` catches them with `why_not`: that submission could not be graded,
  no score is made up, and the others are.
* Pools: ClusterError by `grading/cluster.py`, which ends the run like CourseError. PoolLost by the
  same, where `grading/reserve.py` goes on with this machine's workers. Closed and WorkerUnfit stay
  within `grading/` and `pipeline/ahead.py`: what a pool has no answer for is graded by nbgrader's
  own steps, one by one.
* A suite: SuiteBroken by `exercise/student.py`, noted by `grading/session.py`: the cell could not
  be graded, whoever handed it in.
* The student's work: Failure and StudentError by `exercise/`, noted by `grading/session.py` as the
  result of a check; suites may catch a StudentError to say it better. KernelTrouble (by
  `kernel/student_kernel.py`) and BadValue (by `kernel/values.py`) become one in
  `exercise/student.py`.
* The submitted files: NotANotebook by `submission/read.py`, told by the exporter; Unfit stays
  within `submission/intake.py`, Enough within `exercise/`: each becomes a note.
* The service: NotPrivate by `grading/lent.py`, CannotServe by `grading/service.py`; they end
  `serve`, and whoever asks for a worker starts one himself, as after NotUp. TakenBack stays within
  `grading/worker.py`.
* Commands: InUse, CorpusError, CannotCheck, CannotWatch, CannotRegrade and CannotReport, by the
  command of that name; NbGraderFailed stays within `watch`, which tries again, and then leaves it
  to a person. CannotExport stays within `pipeline/exports.py`, which ends nbgrader's command.

Two kinds are not derived from the root. What no `except Exception` on the way may catch is a
BaseException: _TooLong (`pipeline/safe.py`). What is raised in a student kernel is of a file that
imports nothing of the project: MissingName (`kernel/inside.py`). It never gets here as an object.
"""

import errno

#: What the system says where nothing can be written: a disk is full, over its quota, or read-only.
#: No submission can bring that about; it ends the run (`pipeline/trouble.py`).
UNWRITABLE = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS))


class AutograderError(Exception):
    """The root of all errors that this package raises itself."""
