from driftline.wire.gen.driftline.v1 import baseline_pb2 as _baseline_pb2
from driftline.wire.gen.driftline.v1 import deviation_pb2 as _deviation_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class MatcherOperator(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MATCHER_OPERATOR_UNSPECIFIED: _ClassVar[MatcherOperator]
    MATCHER_OPERATOR_EQUAL: _ClassVar[MatcherOperator]
    MATCHER_OPERATOR_NOT_EQUAL: _ClassVar[MatcherOperator]
    MATCHER_OPERATOR_CONTAINS: _ClassVar[MatcherOperator]
    MATCHER_OPERATOR_NOT_CONTAINS: _ClassVar[MatcherOperator]
MATCHER_OPERATOR_UNSPECIFIED: MatcherOperator
MATCHER_OPERATOR_EQUAL: MatcherOperator
MATCHER_OPERATOR_NOT_EQUAL: MatcherOperator
MATCHER_OPERATOR_CONTAINS: MatcherOperator
MATCHER_OPERATOR_NOT_CONTAINS: MatcherOperator

class ReportRequest(_message.Message):
    __slots__ = ("hello", "batch", "heartbeat", "goodbye", "baselines_in_use", "baseline_part", "baseline_outcome")
    HELLO_FIELD_NUMBER: _ClassVar[int]
    BATCH_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_FIELD_NUMBER: _ClassVar[int]
    GOODBYE_FIELD_NUMBER: _ClassVar[int]
    BASELINES_IN_USE_FIELD_NUMBER: _ClassVar[int]
    BASELINE_PART_FIELD_NUMBER: _ClassVar[int]
    BASELINE_OUTCOME_FIELD_NUMBER: _ClassVar[int]
    hello: Hello
    batch: Batch
    heartbeat: Heartbeat
    goodbye: Goodbye
    baselines_in_use: _baseline_pb2.BaselinesInUse
    baseline_part: _baseline_pb2.BaselinePart
    baseline_outcome: _baseline_pb2.BaselineOutcome
    def __init__(self, hello: _Optional[_Union[Hello, _Mapping]] = ..., batch: _Optional[_Union[Batch, _Mapping]] = ..., heartbeat: _Optional[_Union[Heartbeat, _Mapping]] = ..., goodbye: _Optional[_Union[Goodbye, _Mapping]] = ..., baselines_in_use: _Optional[_Union[_baseline_pb2.BaselinesInUse, _Mapping]] = ..., baseline_part: _Optional[_Union[_baseline_pb2.BaselinePart, _Mapping]] = ..., baseline_outcome: _Optional[_Union[_baseline_pb2.BaselineOutcome, _Mapping]] = ...) -> None: ...

class ReportResponse(_message.Message):
    __slots__ = ("welcome", "acknowledgement", "baseline_wanted", "baseline_part", "revocation")
    WELCOME_FIELD_NUMBER: _ClassVar[int]
    ACKNOWLEDGEMENT_FIELD_NUMBER: _ClassVar[int]
    BASELINE_WANTED_FIELD_NUMBER: _ClassVar[int]
    BASELINE_PART_FIELD_NUMBER: _ClassVar[int]
    REVOCATION_FIELD_NUMBER: _ClassVar[int]
    welcome: Welcome
    acknowledgement: Acknowledgement
    baseline_wanted: _baseline_pb2.BaselineWanted
    baseline_part: _baseline_pb2.BaselinePart
    revocation: _baseline_pb2.Revocation
    def __init__(self, welcome: _Optional[_Union[Welcome, _Mapping]] = ..., acknowledgement: _Optional[_Union[Acknowledgement, _Mapping]] = ..., baseline_wanted: _Optional[_Union[_baseline_pb2.BaselineWanted, _Mapping]] = ..., baseline_part: _Optional[_Union[_baseline_pb2.BaselinePart, _Mapping]] = ..., revocation: _Optional[_Union[_baseline_pb2.Revocation, _Mapping]] = ...) -> None: ...

class Hello(_message.Message):
    __slots__ = ("node", "version", "abi", "boot_id", "takes_baselines")
    NODE_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    ABI_FIELD_NUMBER: _ClassVar[int]
    BOOT_ID_FIELD_NUMBER: _ClassVar[int]
    TAKES_BASELINES_FIELD_NUMBER: _ClassVar[int]
    node: str
    version: str
    abi: int
    boot_id: str
    takes_baselines: bool
    def __init__(self, node: _Optional[str] = ..., version: _Optional[str] = ..., abi: _Optional[int] = ..., boot_id: _Optional[str] = ..., takes_baselines: _Optional[bool] = ...) -> None: ...

class Welcome(_message.Message):
    __slots__ = ("store_id", "version", "takes_baselines")
    STORE_ID_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    TAKES_BASELINES_FIELD_NUMBER: _ClassVar[int]
    store_id: str
    version: str
    takes_baselines: bool
    def __init__(self, store_id: _Optional[str] = ..., version: _Optional[str] = ..., takes_baselines: _Optional[bool] = ...) -> None: ...

class Batch(_message.Message):
    __slots__ = ("sequence", "deviations")
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    DEVIATIONS_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    deviations: _containers.RepeatedCompositeFieldContainer[_deviation_pb2.Deviation]
    def __init__(self, sequence: _Optional[int] = ..., deviations: _Optional[_Iterable[_Union[_deviation_pb2.Deviation, _Mapping]]] = ...) -> None: ...

class Acknowledgement(_message.Message):
    __slots__ = ("sequence", "rejected", "reason")
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    REJECTED_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    rejected: int
    reason: str
    def __init__(self, sequence: _Optional[int] = ..., rejected: _Optional[int] = ..., reason: _Optional[str] = ...) -> None: ...

class Heartbeat(_message.Message):
    __slots__ = ("losses", "counters", "hook_providers", "queue", "troubles")
    class CountersEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    class HookProvidersEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    LOSSES_FIELD_NUMBER: _ClassVar[int]
    COUNTERS_FIELD_NUMBER: _ClassVar[int]
    HOOK_PROVIDERS_FIELD_NUMBER: _ClassVar[int]
    QUEUE_FIELD_NUMBER: _ClassVar[int]
    TROUBLES_FIELD_NUMBER: _ClassVar[int]
    losses: _containers.RepeatedCompositeFieldContainer[_deviation_pb2.Loss]
    counters: _containers.ScalarMap[str, int]
    hook_providers: _containers.ScalarMap[str, str]
    queue: QueueFigures
    troubles: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, losses: _Optional[_Iterable[_Union[_deviation_pb2.Loss, _Mapping]]] = ..., counters: _Optional[_Mapping[str, int]] = ..., hook_providers: _Optional[_Mapping[str, str]] = ..., queue: _Optional[_Union[QueueFigures, _Mapping]] = ..., troubles: _Optional[_Iterable[str]] = ...) -> None: ...

class Goodbye(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class QueueFigures(_message.Message):
    __slots__ = ("waiting", "unacknowledged", "capacity")
    WAITING_FIELD_NUMBER: _ClassVar[int]
    UNACKNOWLEDGED_FIELD_NUMBER: _ClassVar[int]
    CAPACITY_FIELD_NUMBER: _ClassVar[int]
    waiting: int
    unacknowledged: int
    capacity: int
    def __init__(self, waiting: _Optional[int] = ..., unacknowledged: _Optional[int] = ..., capacity: _Optional[int] = ...) -> None: ...

class DeviationFilter(_message.Message):
    __slots__ = ("minimum_severity", "kinds", "node", "namespace", "container", "image", "since_wall_ns")
    MINIMUM_SEVERITY_FIELD_NUMBER: _ClassVar[int]
    KINDS_FIELD_NUMBER: _ClassVar[int]
    NODE_FIELD_NUMBER: _ClassVar[int]
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    CONTAINER_FIELD_NUMBER: _ClassVar[int]
    IMAGE_FIELD_NUMBER: _ClassVar[int]
    SINCE_WALL_NS_FIELD_NUMBER: _ClassVar[int]
    minimum_severity: _deviation_pb2.Severity
    kinds: _containers.RepeatedScalarFieldContainer[str]
    node: str
    namespace: str
    container: str
    image: str
    since_wall_ns: int
    def __init__(self, minimum_severity: _Optional[_Union[_deviation_pb2.Severity, str]] = ..., kinds: _Optional[_Iterable[str]] = ..., node: _Optional[str] = ..., namespace: _Optional[str] = ..., container: _Optional[str] = ..., image: _Optional[str] = ..., since_wall_ns: _Optional[int] = ...) -> None: ...

class Cursor(_message.Message):
    __slots__ = ("store_id", "revision")
    STORE_ID_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    store_id: str
    revision: int
    def __init__(self, store_id: _Optional[str] = ..., revision: _Optional[int] = ...) -> None: ...

class TailRequest(_message.Message):
    __slots__ = ("filter", "replay", "follow", "resume", "silenced")
    FILTER_FIELD_NUMBER: _ClassVar[int]
    REPLAY_FIELD_NUMBER: _ClassVar[int]
    FOLLOW_FIELD_NUMBER: _ClassVar[int]
    RESUME_FIELD_NUMBER: _ClassVar[int]
    SILENCED_FIELD_NUMBER: _ClassVar[int]
    filter: DeviationFilter
    replay: bool
    follow: bool
    resume: Cursor
    silenced: bool
    def __init__(self, filter: _Optional[_Union[DeviationFilter, _Mapping]] = ..., replay: _Optional[bool] = ..., follow: _Optional[bool] = ..., resume: _Optional[_Union[Cursor, _Mapping]] = ..., silenced: _Optional[bool] = ...) -> None: ...

class TailResponse(_message.Message):
    __slots__ = ("deviations", "missed", "cursor", "caught_up", "silences", "silenced")
    DEVIATIONS_FIELD_NUMBER: _ClassVar[int]
    MISSED_FIELD_NUMBER: _ClassVar[int]
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    CAUGHT_UP_FIELD_NUMBER: _ClassVar[int]
    SILENCES_FIELD_NUMBER: _ClassVar[int]
    SILENCED_FIELD_NUMBER: _ClassVar[int]
    deviations: _containers.RepeatedCompositeFieldContainer[StoredDeviation]
    missed: int
    cursor: Cursor
    caught_up: bool
    silences: SilencesInForce
    silenced: int
    def __init__(self, deviations: _Optional[_Iterable[_Union[StoredDeviation, _Mapping]]] = ..., missed: _Optional[int] = ..., cursor: _Optional[_Union[Cursor, _Mapping]] = ..., caught_up: _Optional[bool] = ..., silences: _Optional[_Union[SilencesInForce, _Mapping]] = ..., silenced: _Optional[int] = ...) -> None: ...

class SilencesInForce(_message.Message):
    __slots__ = ("silences",)
    SILENCES_FIELD_NUMBER: _ClassVar[int]
    silences: _containers.RepeatedCompositeFieldContainer[Silence]
    def __init__(self, silences: _Optional[_Iterable[_Union[Silence, _Mapping]]] = ...) -> None: ...

class Matcher(_message.Message):
    __slots__ = ("field", "operator", "value")
    FIELD_FIELD_NUMBER: _ClassVar[int]
    OPERATOR_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    field: str
    operator: MatcherOperator
    value: str
    def __init__(self, field: _Optional[str] = ..., operator: _Optional[_Union[MatcherOperator, str]] = ..., value: _Optional[str] = ...) -> None: ...

class Silence(_message.Message):
    __slots__ = ("id", "matchers", "reason", "author", "made_by", "created_wall_ns", "expires_wall_ns", "ended_by", "hidden")
    ID_FIELD_NUMBER: _ClassVar[int]
    MATCHERS_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    AUTHOR_FIELD_NUMBER: _ClassVar[int]
    MADE_BY_FIELD_NUMBER: _ClassVar[int]
    CREATED_WALL_NS_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_WALL_NS_FIELD_NUMBER: _ClassVar[int]
    ENDED_BY_FIELD_NUMBER: _ClassVar[int]
    HIDDEN_FIELD_NUMBER: _ClassVar[int]
    id: str
    matchers: _containers.RepeatedCompositeFieldContainer[Matcher]
    reason: str
    author: str
    made_by: str
    created_wall_ns: int
    expires_wall_ns: int
    ended_by: str
    hidden: int
    def __init__(self, id: _Optional[str] = ..., matchers: _Optional[_Iterable[_Union[Matcher, _Mapping]]] = ..., reason: _Optional[str] = ..., author: _Optional[str] = ..., made_by: _Optional[str] = ..., created_wall_ns: _Optional[int] = ..., expires_wall_ns: _Optional[int] = ..., ended_by: _Optional[str] = ..., hidden: _Optional[int] = ...) -> None: ...

class AddSilenceRequest(_message.Message):
    __slots__ = ("silence",)
    SILENCE_FIELD_NUMBER: _ClassVar[int]
    silence: Silence
    def __init__(self, silence: _Optional[_Union[Silence, _Mapping]] = ...) -> None: ...

class AddSilenceResponse(_message.Message):
    __slots__ = ("silence",)
    SILENCE_FIELD_NUMBER: _ClassVar[int]
    silence: Silence
    def __init__(self, silence: _Optional[_Union[Silence, _Mapping]] = ...) -> None: ...

class ListSilencesRequest(_message.Message):
    __slots__ = ("ended",)
    ENDED_FIELD_NUMBER: _ClassVar[int]
    ended: bool
    def __init__(self, ended: _Optional[bool] = ...) -> None: ...

class ListSilencesResponse(_message.Message):
    __slots__ = ("silences",)
    SILENCES_FIELD_NUMBER: _ClassVar[int]
    silences: _containers.RepeatedCompositeFieldContainer[Silence]
    def __init__(self, silences: _Optional[_Iterable[_Union[Silence, _Mapping]]] = ...) -> None: ...

class EndSilenceRequest(_message.Message):
    __slots__ = ("id", "author")
    ID_FIELD_NUMBER: _ClassVar[int]
    AUTHOR_FIELD_NUMBER: _ClassVar[int]
    id: str
    author: str
    def __init__(self, id: _Optional[str] = ..., author: _Optional[str] = ...) -> None: ...

class EndSilenceResponse(_message.Message):
    __slots__ = ("silence",)
    SILENCE_FIELD_NUMBER: _ClassVar[int]
    silence: Silence
    def __init__(self, silence: _Optional[_Union[Silence, _Mapping]] = ...) -> None: ...

class ForgetAgentRequest(_message.Message):
    __slots__ = ("node",)
    NODE_FIELD_NUMBER: _ClassVar[int]
    node: str
    def __init__(self, node: _Optional[str] = ...) -> None: ...

class ForgetAgentResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class StoredDeviation(_message.Message):
    __slots__ = ("revision", "deviation")
    REVISION_FIELD_NUMBER: _ClassVar[int]
    DEVIATION_FIELD_NUMBER: _ClassVar[int]
    revision: int
    deviation: _deviation_pb2.Deviation
    def __init__(self, revision: _Optional[int] = ..., deviation: _Optional[_Union[_deviation_pb2.Deviation, _Mapping]] = ...) -> None: ...

class ListDeviationsRequest(_message.Message):
    __slots__ = ("filter", "page_size", "page_token")
    FILTER_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    filter: DeviationFilter
    page_size: int
    page_token: str
    def __init__(self, filter: _Optional[_Union[DeviationFilter, _Mapping]] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListDeviationsResponse(_message.Message):
    __slots__ = ("deviations", "next_page_token")
    DEVIATIONS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    deviations: _containers.RepeatedCompositeFieldContainer[StoredDeviation]
    next_page_token: str
    def __init__(self, deviations: _Optional[_Iterable[_Union[StoredDeviation, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class ListAgentsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListAgentsResponse(_message.Message):
    __slots__ = ("agents", "warnings", "access")
    class AccessEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    AGENTS_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    ACCESS_FIELD_NUMBER: _ClassVar[int]
    agents: _containers.RepeatedCompositeFieldContainer[AgentStatus]
    warnings: _containers.RepeatedScalarFieldContainer[str]
    access: _containers.ScalarMap[str, int]
    def __init__(self, agents: _Optional[_Iterable[_Union[AgentStatus, _Mapping]]] = ..., warnings: _Optional[_Iterable[str]] = ..., access: _Optional[_Mapping[str, int]] = ...) -> None: ...

class AgentStatus(_message.Message):
    __slots__ = ("hello", "last_seen_wall_ns", "connected", "heartbeat", "rejected", "transport", "session", "stopped", "troubles")
    HELLO_FIELD_NUMBER: _ClassVar[int]
    LAST_SEEN_WALL_NS_FIELD_NUMBER: _ClassVar[int]
    CONNECTED_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_FIELD_NUMBER: _ClassVar[int]
    REJECTED_FIELD_NUMBER: _ClassVar[int]
    TRANSPORT_FIELD_NUMBER: _ClassVar[int]
    SESSION_FIELD_NUMBER: _ClassVar[int]
    STOPPED_FIELD_NUMBER: _ClassVar[int]
    TROUBLES_FIELD_NUMBER: _ClassVar[int]
    hello: Hello
    last_seen_wall_ns: int
    connected: bool
    heartbeat: Heartbeat
    rejected: int
    transport: str
    session: str
    stopped: bool
    troubles: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, hello: _Optional[_Union[Hello, _Mapping]] = ..., last_seen_wall_ns: _Optional[int] = ..., connected: _Optional[bool] = ..., heartbeat: _Optional[_Union[Heartbeat, _Mapping]] = ..., rejected: _Optional[int] = ..., transport: _Optional[str] = ..., session: _Optional[str] = ..., stopped: _Optional[bool] = ..., troubles: _Optional[_Iterable[str]] = ...) -> None: ...

class ListBaselinesRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListBaselinesResponse(_message.Message):
    __slots__ = ("baselines", "left_out")
    BASELINES_FIELD_NUMBER: _ClassVar[int]
    LEFT_OUT_FIELD_NUMBER: _ClassVar[int]
    baselines: _containers.RepeatedCompositeFieldContainer[_baseline_pb2.BaselineSummary]
    left_out: int
    def __init__(self, baselines: _Optional[_Iterable[_Union[_baseline_pb2.BaselineSummary, _Mapping]]] = ..., left_out: _Optional[int] = ...) -> None: ...

class GetBaselineRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class GetBaselineResponse(_message.Message):
    __slots__ = ("summary", "nodes", "revocations", "left_out", "progress")
    SUMMARY_FIELD_NUMBER: _ClassVar[int]
    NODES_FIELD_NUMBER: _ClassVar[int]
    REVOCATIONS_FIELD_NUMBER: _ClassVar[int]
    LEFT_OUT_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    summary: _baseline_pb2.BaselineSummary
    nodes: _containers.RepeatedCompositeFieldContainer[_baseline_pb2.NodeBaseline]
    revocations: _containers.RepeatedCompositeFieldContainer[_baseline_pb2.Revocation]
    left_out: int
    progress: _containers.RepeatedCompositeFieldContainer[_baseline_pb2.RevocationProgress]
    def __init__(self, summary: _Optional[_Union[_baseline_pb2.BaselineSummary, _Mapping]] = ..., nodes: _Optional[_Iterable[_Union[_baseline_pb2.NodeBaseline, _Mapping]]] = ..., revocations: _Optional[_Iterable[_Union[_baseline_pb2.Revocation, _Mapping]]] = ..., left_out: _Optional[int] = ..., progress: _Optional[_Iterable[_Union[_baseline_pb2.RevocationProgress, _Mapping]]] = ...) -> None: ...

class FetchBaselineRequest(_message.Message):
    __slots__ = ("name", "merged", "published", "node")
    NAME_FIELD_NUMBER: _ClassVar[int]
    MERGED_FIELD_NUMBER: _ClassVar[int]
    PUBLISHED_FIELD_NUMBER: _ClassVar[int]
    NODE_FIELD_NUMBER: _ClassVar[int]
    name: str
    merged: bool
    published: bool
    node: str
    def __init__(self, name: _Optional[str] = ..., merged: _Optional[bool] = ..., published: _Optional[bool] = ..., node: _Optional[str] = ...) -> None: ...

class FetchBaselineResponse(_message.Message):
    __slots__ = ("part",)
    PART_FIELD_NUMBER: _ClassVar[int]
    part: _baseline_pb2.BaselinePart
    def __init__(self, part: _Optional[_Union[_baseline_pb2.BaselinePart, _Mapping]] = ...) -> None: ...

class PublishBaselineRequest(_message.Message):
    __slots__ = ("part", "reason", "author")
    PART_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    AUTHOR_FIELD_NUMBER: _ClassVar[int]
    part: _baseline_pb2.BaselinePart
    reason: str
    author: str
    def __init__(self, part: _Optional[_Union[_baseline_pb2.BaselinePart, _Mapping]] = ..., reason: _Optional[str] = ..., author: _Optional[str] = ...) -> None: ...

class PublishBaselineResponse(_message.Message):
    __slots__ = ("published",)
    PUBLISHED_FIELD_NUMBER: _ClassVar[int]
    published: _baseline_pb2.Published
    def __init__(self, published: _Optional[_Union[_baseline_pb2.Published, _Mapping]] = ...) -> None: ...

class RevokeBaselineRequest(_message.Message):
    __slots__ = ("revocation",)
    REVOCATION_FIELD_NUMBER: _ClassVar[int]
    revocation: _baseline_pb2.Revocation
    def __init__(self, revocation: _Optional[_Union[_baseline_pb2.Revocation, _Mapping]] = ...) -> None: ...

class RevokeBaselineResponse(_message.Message):
    __slots__ = ("revocation",)
    REVOCATION_FIELD_NUMBER: _ClassVar[int]
    revocation: _baseline_pb2.Revocation
    def __init__(self, revocation: _Optional[_Union[_baseline_pb2.Revocation, _Mapping]] = ...) -> None: ...
