from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class BaselineFormat(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    BASELINE_FORMAT_UNSPECIFIED: _ClassVar[BaselineFormat]
    BASELINE_FORMAT_MSGPACK: _ClassVar[BaselineFormat]
    BASELINE_FORMAT_DSSE: _ClassVar[BaselineFormat]

class BaselineState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    BASELINE_STATE_UNSPECIFIED: _ClassVar[BaselineState]
    BASELINE_STATE_LEARNING: _ClassVar[BaselineState]
    BASELINE_STATE_CANDIDATE: _ClassVar[BaselineState]
    BASELINE_STATE_ACTIVE: _ClassVar[BaselineState]
    BASELINE_STATE_RETIRED: _ClassVar[BaselineState]

class Outcome(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    OUTCOME_UNSPECIFIED: _ClassVar[Outcome]
    OUTCOME_WAITING: _ClassVar[Outcome]
    OUTCOME_TAKEN: _ClassVar[Outcome]
    OUTCOME_REFUSED: _ClassVar[Outcome]
    OUTCOME_FAILED: _ClassVar[Outcome]
BASELINE_FORMAT_UNSPECIFIED: BaselineFormat
BASELINE_FORMAT_MSGPACK: BaselineFormat
BASELINE_FORMAT_DSSE: BaselineFormat
BASELINE_STATE_UNSPECIFIED: BaselineState
BASELINE_STATE_LEARNING: BaselineState
BASELINE_STATE_CANDIDATE: BaselineState
BASELINE_STATE_ACTIVE: BaselineState
BASELINE_STATE_RETIRED: BaselineState
OUTCOME_UNSPECIFIED: Outcome
OUTCOME_WAITING: Outcome
OUTCOME_TAKEN: Outcome
OUTCOME_REFUSED: Outcome
OUTCOME_FAILED: Outcome

class BaselinesInUse(_message.Message):
    __slots__ = ("state_id", "baselines", "left_out")
    STATE_ID_FIELD_NUMBER: _ClassVar[int]
    BASELINES_FIELD_NUMBER: _ClassVar[int]
    LEFT_OUT_FIELD_NUMBER: _ClassVar[int]
    state_id: str
    baselines: _containers.RepeatedCompositeFieldContainer[BaselineInUse]
    left_out: int
    def __init__(self, state_id: _Optional[str] = ..., baselines: _Optional[_Iterable[_Union[BaselineInUse, _Mapping]]] = ..., left_out: _Optional[int] = ...) -> None: ...

class BaselineInUse(_message.Message):
    __slots__ = ("name", "image", "state", "version", "revision")
    NAME_FIELD_NUMBER: _ClassVar[int]
    IMAGE_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    name: str
    image: str
    state: BaselineState
    version: str
    revision: int
    def __init__(self, name: _Optional[str] = ..., image: _Optional[str] = ..., state: _Optional[_Union[BaselineState, str]] = ..., version: _Optional[str] = ..., revision: _Optional[int] = ...) -> None: ...

class BaselineWanted(_message.Message):
    __slots__ = ("name", "version", "revision")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    name: str
    version: str
    revision: int
    def __init__(self, name: _Optional[str] = ..., version: _Optional[str] = ..., revision: _Optional[int] = ...) -> None: ...

class BaselinePart(_message.Message):
    __slots__ = ("name", "version", "format", "size", "offset", "data", "sha256")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    SHA256_FIELD_NUMBER: _ClassVar[int]
    name: str
    version: str
    format: BaselineFormat
    size: int
    offset: int
    data: bytes
    sha256: bytes
    def __init__(self, name: _Optional[str] = ..., version: _Optional[str] = ..., format: _Optional[_Union[BaselineFormat, str]] = ..., size: _Optional[int] = ..., offset: _Optional[int] = ..., data: _Optional[bytes] = ..., sha256: _Optional[bytes] = ...) -> None: ...

class BaselineOutcome(_message.Message):
    __slots__ = ("name", "version", "revocation", "outcome", "reason")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    REVOCATION_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    name: str
    version: str
    revocation: bool
    outcome: Outcome
    reason: str
    def __init__(self, name: _Optional[str] = ..., version: _Optional[str] = ..., revocation: _Optional[bool] = ..., outcome: _Optional[_Union[Outcome, str]] = ..., reason: _Optional[str] = ...) -> None: ...

class Revocation(_message.Message):
    __slots__ = ("name", "version", "reason", "author", "made_by", "revoked_wall_ns", "envelope")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    AUTHOR_FIELD_NUMBER: _ClassVar[int]
    MADE_BY_FIELD_NUMBER: _ClassVar[int]
    REVOKED_WALL_NS_FIELD_NUMBER: _ClassVar[int]
    ENVELOPE_FIELD_NUMBER: _ClassVar[int]
    name: str
    version: str
    reason: str
    author: str
    made_by: str
    revoked_wall_ns: int
    envelope: bytes
    def __init__(self, name: _Optional[str] = ..., version: _Optional[str] = ..., reason: _Optional[str] = ..., author: _Optional[str] = ..., made_by: _Optional[str] = ..., revoked_wall_ns: _Optional[int] = ..., envelope: _Optional[bytes] = ...) -> None: ...

class Published(_message.Message):
    __slots__ = ("version", "revision", "format", "reason", "author", "made_by", "published_wall_ns")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    AUTHOR_FIELD_NUMBER: _ClassVar[int]
    MADE_BY_FIELD_NUMBER: _ClassVar[int]
    PUBLISHED_WALL_NS_FIELD_NUMBER: _ClassVar[int]
    version: str
    revision: int
    format: BaselineFormat
    reason: str
    author: str
    made_by: str
    published_wall_ns: int
    def __init__(self, version: _Optional[str] = ..., revision: _Optional[int] = ..., format: _Optional[_Union[BaselineFormat, str]] = ..., reason: _Optional[str] = ..., author: _Optional[str] = ..., made_by: _Optional[str] = ..., published_wall_ns: _Optional[int] = ...) -> None: ...

class BaselineSummary(_message.Message):
    __slots__ = ("name", "image", "nodes_using", "nodes_learning", "nodes_learned", "nodes_complete", "needs_review", "published", "nodes_taken", "nodes_refused", "nodes_waiting", "nodes_refusing_revocation")
    NAME_FIELD_NUMBER: _ClassVar[int]
    IMAGE_FIELD_NUMBER: _ClassVar[int]
    NODES_USING_FIELD_NUMBER: _ClassVar[int]
    NODES_LEARNING_FIELD_NUMBER: _ClassVar[int]
    NODES_LEARNED_FIELD_NUMBER: _ClassVar[int]
    NODES_COMPLETE_FIELD_NUMBER: _ClassVar[int]
    NEEDS_REVIEW_FIELD_NUMBER: _ClassVar[int]
    PUBLISHED_FIELD_NUMBER: _ClassVar[int]
    NODES_TAKEN_FIELD_NUMBER: _ClassVar[int]
    NODES_REFUSED_FIELD_NUMBER: _ClassVar[int]
    NODES_WAITING_FIELD_NUMBER: _ClassVar[int]
    NODES_REFUSING_REVOCATION_FIELD_NUMBER: _ClassVar[int]
    name: str
    image: str
    nodes_using: int
    nodes_learning: int
    nodes_learned: int
    nodes_complete: int
    needs_review: int
    published: Published
    nodes_taken: int
    nodes_refused: int
    nodes_waiting: int
    nodes_refusing_revocation: int
    def __init__(self, name: _Optional[str] = ..., image: _Optional[str] = ..., nodes_using: _Optional[int] = ..., nodes_learning: _Optional[int] = ..., nodes_learned: _Optional[int] = ..., nodes_complete: _Optional[int] = ..., needs_review: _Optional[int] = ..., published: _Optional[_Union[Published, _Mapping]] = ..., nodes_taken: _Optional[int] = ..., nodes_refused: _Optional[int] = ..., nodes_waiting: _Optional[int] = ..., nodes_refusing_revocation: _Optional[int] = ...) -> None: ...

class RevocationProgress(_message.Message):
    __slots__ = ("version", "nodes_taken", "nodes_refused", "nodes_waiting")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    NODES_TAKEN_FIELD_NUMBER: _ClassVar[int]
    NODES_REFUSED_FIELD_NUMBER: _ClassVar[int]
    NODES_WAITING_FIELD_NUMBER: _ClassVar[int]
    version: str
    nodes_taken: int
    nodes_refused: int
    nodes_waiting: int
    def __init__(self, version: _Optional[str] = ..., nodes_taken: _Optional[int] = ..., nodes_refused: _Optional[int] = ..., nodes_waiting: _Optional[int] = ...) -> None: ...

class NodeBaseline(_message.Message):
    __slots__ = ("node", "in_use", "learned", "outcome", "revocations")
    NODE_FIELD_NUMBER: _ClassVar[int]
    IN_USE_FIELD_NUMBER: _ClassVar[int]
    LEARNED_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    REVOCATIONS_FIELD_NUMBER: _ClassVar[int]
    node: str
    in_use: BaselineInUse
    learned: LearnedPart
    outcome: BaselineOutcome
    revocations: _containers.RepeatedCompositeFieldContainer[BaselineOutcome]
    def __init__(self, node: _Optional[str] = ..., in_use: _Optional[_Union[BaselineInUse, _Mapping]] = ..., learned: _Optional[_Union[LearnedPart, _Mapping]] = ..., outcome: _Optional[_Union[BaselineOutcome, _Mapping]] = ..., revocations: _Optional[_Iterable[_Union[BaselineOutcome, _Mapping]]] = ...) -> None: ...

class LearnedPart(_message.Message):
    __slots__ = ("version", "revision", "behaviours", "needs_review", "reasons", "elapsed_ns", "startups", "containers", "received_wall_ns")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    BEHAVIOURS_FIELD_NUMBER: _ClassVar[int]
    NEEDS_REVIEW_FIELD_NUMBER: _ClassVar[int]
    REASONS_FIELD_NUMBER: _ClassVar[int]
    ELAPSED_NS_FIELD_NUMBER: _ClassVar[int]
    STARTUPS_FIELD_NUMBER: _ClassVar[int]
    CONTAINERS_FIELD_NUMBER: _ClassVar[int]
    RECEIVED_WALL_NS_FIELD_NUMBER: _ClassVar[int]
    version: str
    revision: int
    behaviours: int
    needs_review: int
    reasons: _containers.RepeatedScalarFieldContainer[str]
    elapsed_ns: int
    startups: int
    containers: int
    received_wall_ns: int
    def __init__(self, version: _Optional[str] = ..., revision: _Optional[int] = ..., behaviours: _Optional[int] = ..., needs_review: _Optional[int] = ..., reasons: _Optional[_Iterable[str]] = ..., elapsed_ns: _Optional[int] = ..., startups: _Optional[int] = ..., containers: _Optional[int] = ..., received_wall_ns: _Optional[int] = ...) -> None: ...
