from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Severity(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SEVERITY_UNSPECIFIED: _ClassVar[Severity]
    SEVERITY_INFO: _ClassVar[Severity]
    SEVERITY_LOW: _ClassVar[Severity]
    SEVERITY_MEDIUM: _ClassVar[Severity]
    SEVERITY_HIGH: _ClassVar[Severity]
    SEVERITY_CRITICAL: _ClassVar[Severity]

class Origin(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ORIGIN_UNSPECIFIED: _ClassVar[Origin]
    ORIGIN_IMAGE: _ClassVar[Origin]
    ORIGIN_WRITABLE: _ClassVar[Origin]
    ORIGIN_COPYUP: _ClassVar[Origin]
    ORIGIN_ROOTFS: _ClassVar[Origin]
    ORIGIN_VOLUME: _ClassVar[Origin]
    ORIGIN_TMPFS: _ClassVar[Origin]
    ORIGIN_PSEUDO: _ClassVar[Origin]
    ORIGIN_MEMFD: _ClassVar[Origin]
    ORIGIN_DELETED: _ClassVar[Origin]
    ORIGIN_HOST: _ClassVar[Origin]
    ORIGIN_UNKNOWN: _ClassVar[Origin]
SEVERITY_UNSPECIFIED: Severity
SEVERITY_INFO: Severity
SEVERITY_LOW: Severity
SEVERITY_MEDIUM: Severity
SEVERITY_HIGH: Severity
SEVERITY_CRITICAL: Severity
ORIGIN_UNSPECIFIED: Origin
ORIGIN_IMAGE: Origin
ORIGIN_WRITABLE: Origin
ORIGIN_COPYUP: Origin
ORIGIN_ROOTFS: Origin
ORIGIN_VOLUME: Origin
ORIGIN_TMPFS: Origin
ORIGIN_PSEUDO: Origin
ORIGIN_MEMFD: Origin
ORIGIN_DELETED: Origin
ORIGIN_HOST: Origin
ORIGIN_UNKNOWN: Origin

class Deviation(_message.Message):
    __slots__ = ("id", "kind", "severity", "sentence", "technique", "what", "first_wall_ns", "last_wall_ns", "first_kernel_ns", "last_kernel_ns", "node", "subject", "baseline", "learning", "count", "process", "argv", "cwd", "tty", "exe", "ancestors", "file", "access", "sha256", "sha256_note", "protocol", "address", "port", "flags", "environment", "loss", "notes", "checks")
    ID_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    SEVERITY_FIELD_NUMBER: _ClassVar[int]
    SENTENCE_FIELD_NUMBER: _ClassVar[int]
    TECHNIQUE_FIELD_NUMBER: _ClassVar[int]
    WHAT_FIELD_NUMBER: _ClassVar[int]
    FIRST_WALL_NS_FIELD_NUMBER: _ClassVar[int]
    LAST_WALL_NS_FIELD_NUMBER: _ClassVar[int]
    FIRST_KERNEL_NS_FIELD_NUMBER: _ClassVar[int]
    LAST_KERNEL_NS_FIELD_NUMBER: _ClassVar[int]
    NODE_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    BASELINE_FIELD_NUMBER: _ClassVar[int]
    LEARNING_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    PROCESS_FIELD_NUMBER: _ClassVar[int]
    ARGV_FIELD_NUMBER: _ClassVar[int]
    CWD_FIELD_NUMBER: _ClassVar[int]
    TTY_FIELD_NUMBER: _ClassVar[int]
    EXE_FIELD_NUMBER: _ClassVar[int]
    ANCESTORS_FIELD_NUMBER: _ClassVar[int]
    FILE_FIELD_NUMBER: _ClassVar[int]
    ACCESS_FIELD_NUMBER: _ClassVar[int]
    SHA256_FIELD_NUMBER: _ClassVar[int]
    SHA256_NOTE_FIELD_NUMBER: _ClassVar[int]
    PROTOCOL_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    PORT_FIELD_NUMBER: _ClassVar[int]
    FLAGS_FIELD_NUMBER: _ClassVar[int]
    ENVIRONMENT_FIELD_NUMBER: _ClassVar[int]
    LOSS_FIELD_NUMBER: _ClassVar[int]
    NOTES_FIELD_NUMBER: _ClassVar[int]
    CHECKS_FIELD_NUMBER: _ClassVar[int]
    id: str
    kind: str
    severity: Severity
    sentence: str
    technique: str
    what: str
    first_wall_ns: int
    last_wall_ns: int
    first_kernel_ns: int
    last_kernel_ns: int
    node: str
    subject: Subject
    baseline: str
    learning: bool
    count: int
    process: Process
    argv: _containers.RepeatedScalarFieldContainer[str]
    cwd: str
    tty: str
    exe: str
    ancestors: _containers.RepeatedCompositeFieldContainer[ExecImage]
    file: File
    access: int
    sha256: str
    sha256_note: str
    protocol: str
    address: str
    port: int
    flags: int
    environment: _containers.RepeatedScalarFieldContainer[str]
    loss: Loss
    notes: _containers.RepeatedScalarFieldContainer[str]
    checks: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, id: _Optional[str] = ..., kind: _Optional[str] = ..., severity: _Optional[_Union[Severity, str]] = ..., sentence: _Optional[str] = ..., technique: _Optional[str] = ..., what: _Optional[str] = ..., first_wall_ns: _Optional[int] = ..., last_wall_ns: _Optional[int] = ..., first_kernel_ns: _Optional[int] = ..., last_kernel_ns: _Optional[int] = ..., node: _Optional[str] = ..., subject: _Optional[_Union[Subject, _Mapping]] = ..., baseline: _Optional[str] = ..., learning: _Optional[bool] = ..., count: _Optional[int] = ..., process: _Optional[_Union[Process, _Mapping]] = ..., argv: _Optional[_Iterable[str]] = ..., cwd: _Optional[str] = ..., tty: _Optional[str] = ..., exe: _Optional[str] = ..., ancestors: _Optional[_Iterable[_Union[ExecImage, _Mapping]]] = ..., file: _Optional[_Union[File, _Mapping]] = ..., access: _Optional[int] = ..., sha256: _Optional[str] = ..., sha256_note: _Optional[str] = ..., protocol: _Optional[str] = ..., address: _Optional[str] = ..., port: _Optional[int] = ..., flags: _Optional[int] = ..., environment: _Optional[_Iterable[str]] = ..., loss: _Optional[_Union[Loss, _Mapping]] = ..., notes: _Optional[_Iterable[str]] = ..., checks: _Optional[_Iterable[str]] = ...) -> None: ...

class Subject(_message.Message):
    __slots__ = ("cgroup", "cgroup_path", "engine", "container_id", "name", "image", "image_digest", "namespace", "pod", "workload", "labels", "started_ns", "attached_late")
    CGROUP_FIELD_NUMBER: _ClassVar[int]
    CGROUP_PATH_FIELD_NUMBER: _ClassVar[int]
    ENGINE_FIELD_NUMBER: _ClassVar[int]
    CONTAINER_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    IMAGE_FIELD_NUMBER: _ClassVar[int]
    IMAGE_DIGEST_FIELD_NUMBER: _ClassVar[int]
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    POD_FIELD_NUMBER: _ClassVar[int]
    WORKLOAD_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    STARTED_NS_FIELD_NUMBER: _ClassVar[int]
    ATTACHED_LATE_FIELD_NUMBER: _ClassVar[int]
    cgroup: int
    cgroup_path: str
    engine: str
    container_id: str
    name: str
    image: str
    image_digest: str
    namespace: str
    pod: str
    workload: str
    labels: _containers.RepeatedCompositeFieldContainer[Label]
    started_ns: int
    attached_late: bool
    def __init__(self, cgroup: _Optional[int] = ..., cgroup_path: _Optional[str] = ..., engine: _Optional[str] = ..., container_id: _Optional[str] = ..., name: _Optional[str] = ..., image: _Optional[str] = ..., image_digest: _Optional[str] = ..., namespace: _Optional[str] = ..., pod: _Optional[str] = ..., workload: _Optional[str] = ..., labels: _Optional[_Iterable[_Union[Label, _Mapping]]] = ..., started_ns: _Optional[int] = ..., attached_late: _Optional[bool] = ...) -> None: ...

class Label(_message.Message):
    __slots__ = ("key", "value")
    KEY_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    key: str
    value: str
    def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...

class Process(_message.Message):
    __slots__ = ("pid", "tid", "ppid", "start_ns", "exec_id", "uid", "gid", "euid", "comm")
    PID_FIELD_NUMBER: _ClassVar[int]
    TID_FIELD_NUMBER: _ClassVar[int]
    PPID_FIELD_NUMBER: _ClassVar[int]
    START_NS_FIELD_NUMBER: _ClassVar[int]
    EXEC_ID_FIELD_NUMBER: _ClassVar[int]
    UID_FIELD_NUMBER: _ClassVar[int]
    GID_FIELD_NUMBER: _ClassVar[int]
    EUID_FIELD_NUMBER: _ClassVar[int]
    COMM_FIELD_NUMBER: _ClassVar[int]
    pid: int
    tid: int
    ppid: int
    start_ns: int
    exec_id: int
    uid: int
    gid: int
    euid: int
    comm: str
    def __init__(self, pid: _Optional[int] = ..., tid: _Optional[int] = ..., ppid: _Optional[int] = ..., start_ns: _Optional[int] = ..., exec_id: _Optional[int] = ..., uid: _Optional[int] = ..., gid: _Optional[int] = ..., euid: _Optional[int] = ..., comm: _Optional[str] = ...) -> None: ...

class ExecImage(_message.Message):
    __slots__ = ("exec_id", "pid", "start_ns", "path", "argv", "uid", "entered")
    EXEC_ID_FIELD_NUMBER: _ClassVar[int]
    PID_FIELD_NUMBER: _ClassVar[int]
    START_NS_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    ARGV_FIELD_NUMBER: _ClassVar[int]
    UID_FIELD_NUMBER: _ClassVar[int]
    ENTERED_FIELD_NUMBER: _ClassVar[int]
    exec_id: int
    pid: int
    start_ns: int
    path: str
    argv: _containers.RepeatedScalarFieldContainer[str]
    uid: int
    entered: bool
    def __init__(self, exec_id: _Optional[int] = ..., pid: _Optional[int] = ..., start_ns: _Optional[int] = ..., path: _Optional[str] = ..., argv: _Optional[_Iterable[str]] = ..., uid: _Optional[int] = ..., entered: _Optional[bool] = ...) -> None: ...

class File(_message.Message):
    __slots__ = ("path", "origin", "device", "inode", "links", "mode", "size")
    PATH_FIELD_NUMBER: _ClassVar[int]
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    INODE_FIELD_NUMBER: _ClassVar[int]
    LINKS_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    path: str
    origin: Origin
    device: int
    inode: int
    links: int
    mode: int
    size: int
    def __init__(self, path: _Optional[str] = ..., origin: _Optional[_Union[Origin, str]] = ..., device: _Optional[int] = ..., inode: _Optional[int] = ..., links: _Optional[int] = ..., mode: _Optional[int] = ..., size: _Optional[int] = ...) -> None: ...

class Loss(_message.Message):
    __slots__ = ("hook", "cause", "count", "cgroup")
    HOOK_FIELD_NUMBER: _ClassVar[int]
    CAUSE_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    CGROUP_FIELD_NUMBER: _ClassVar[int]
    hook: str
    cause: str
    count: int
    cgroup: int
    def __init__(self, hook: _Optional[str] = ..., cause: _Optional[str] = ..., count: _Optional[int] = ..., cgroup: _Optional[int] = ...) -> None: ...
