"""Intents: what a question is about, by its words, in English and Korean. Pure.

A table of topics, the narrower first, and one of actions as people name them. `bot.flow.explaining` answers each.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Literal

from bot.domain import choices

Topic = Literal[
    "evidence", "approving", "approvers", "who", "changed", "since", "runbook", "before", "unknown", "logs", "impact",
    "next", "state", "why",
]  # fmt: skip
TOPICS = 2
"""Answered of one question."""
ACTIONS = 2
"""Looked at for one question."""


def _any(*words: str) -> re.Pattern[str]:
    return re.compile("|".join(words), re.IGNORECASE)


PIECE = _any(r"\be(\d{1,3})\b", r"(?:evidence|piece|증거)\s*#?(\d{1,3})")
"""A piece of evidence by its number, in one of two groups."""

_WORDS: Mapping[Topic, re.Pattern[str]] = {
    "evidence": PIECE,
    "approving": _any(
        r"\b(what|which)\b.{0,30}\b(happens?|will|would|does)\b.{0,30}\b(approv|press|button)",
        r"if (i|we) approve|\bblast\b",
        r"승인하면|승인.{0,6}(영향|결과)",
    ),
    "approvers": _any(
        r"\bwho\b.{0,24}\b(can|may|must|should|allowed|could)\b|approvers?\b", r"누가.{0,10}승인할|승인자|승인 ?권한"
    ),
    "who": _any(
        r"\bwho\b.{0,24}\b(approved|did|rejected|restarted|changed|acked|acknowledged|pressed|has|is on)\b",
        r"누가.{0,14}(했|승인했|거절|변경했|재시작)",
    ),
    "changed": _any(
        r"\bwhat('s| has| have| was| were)? (been )?(chang|deploy|roll|releas|differ)|\bchanges?\b|\bdiff\b",
        r"\brecent(ly)? (deploy|chang|roll)|\blast (deploy|rollout|release)",
        r"뭐가 (바뀌|달라)|변경|바뀐|바뀌었|배포",
    ),
    "since": _any(
        r"since when|how long|when did|when was|\bstarted when", r"언제부터|언제 (시작|발생)|얼마나 (오래|됐)"
    ),
    "runbook": _any(r"\brunbooks?\b|\bplaybooks?\b|\bwiki\b", r"런북|매뉴얼|플레이북"),
    "before": _any(
        r"\bbefore\b|\bagain\b|how often|how many times|last time|previous(ly)? (time|incident|episode)",
        r"happened (already|earlier)|\btried\b",
        r"전에도|예전에|몇 번|자주|시도",
    ),
    "unknown": _any(
        r"\bmissing evidence|\bunknown\b|not known|(don't|do not|didn't) (we|you|i) (know|see)|not (seen|read)",
        r"what.{0,12}missing|how (sure|certain|confident)|confidence",
        r"모르|누락|확실|못 ?(본|읽)",
    ),
    "logs": _any(r"\blogs?\b|stack ?trace|traceback", r"로그|스택"),
    "impact": _any(r"\bimpact|affect(s|ed|ing)?\b|\busers?\b|customers?\b|how bad|severity", r"영향|사용자|고객|심각"),
    "next": _any(
        r"what (should|can|do|must) (i|we)|next step|\b(fix|solve) (it|this)\b",
        r"how (do|can|to|should|would)\b.{0,20}\b(fix|solve|mend|repair)",
        r"어떻게|조치|해결 ?방법|해야",
    ),
    "state": _any(
        r"\b(fixed|resolved|recovered|solved|over)\b|\bstill\b|\bstatus\b|\bstate\b|ok now|how is it",
        r"any (news|update)",
        r"상태|해결(됐|되었|된)|복구|아직|나아",
    ),
    "why": _any(
        r"\bwhy\b|\bcause|\breason\b|what('s| is) (wrong|going on|broken|happening)|root",
        r"왜|원인|이유|무슨 (일|문제)",
    ),
}
_GENERAL: frozenset[Topic] = frozenset({"why", "state"})
"""Answered only where nothing narrower was asked."""
_OF_A_SUGGESTION: frozenset[Topic] = frozenset({"why", "next", "logs", "state"})
"""What the answer about an action tells by itself, or what its words were taken for."""

_SUGGESTED = _any(
    r"why (not|don't|doesn't|didn't|can't|shouldn't|no)\b|can (we|i|you)\b|could|should|would|what if|instead",
    r"\bjust\b|\bhelps?\b|\btry\b|do (we|i) need|is it (ok|safe|possible)|possible to",
    r"^\s*(please|pls)?\s*(restart|reboot|roll ?back|revert|undo|scale|drain|cordon|delete|kill|evict|rerun|mute)\b",
    r"안\s?(하|돼|되|해)|하면|할까|해도|해볼|왜 안|어때|되나|될까|가능|해줘|해 줘|대신|그냥",
)
"""Somebody speaks of doing something, and not of what happened by itself (`why is it restarting`)."""
_ACTIONS: Mapping[str, re.Pattern[str]] = {
    "rollout-restart": _any(r"\b(restart|reboot|bounce)(?!ing|ed|s\b)", "재시작|리스타트|재기동"),
    "rollout-undo": _any(r"\broll(ing)? ?back|\bundo\b|\brevert|previous (version|revision|image)", "롤백|되돌"),
    "scale": _any(
        r"\bscal(e|ing)\b|\b(more|fewer|less) (replicas|pods)|\badd (replicas|pods)", "스케일|증설|파드.{0,6}늘"
    ),
    "set-resources": _any(
        r"\b(more|raise|increase|bump|bigger|higher)\b.{0,24}\b(memory|ram|cpu|limits?|requests?)\b",
        r"(메모리|리밋|자원|cpu).{0,12}(늘|올|증가)",
    ),
    "set-image": _any(r"\b(another|other|old|earlier|different|change the) image", r"이미지.{0,8}(바꾸|변경|교체)"),
    "set-env": _any(r"\b(set|add|put back)\b.{0,24}\b(env|variable)", r"환경 ?변수.{0,10}(넣|추가|설정)"),
    "rollout-pause": _any(r"\bpause\b", r"일시 ?(정지|중지)"),
    "rollout-resume": _any(r"\bresume\b", "재개"),
    "force-delete-pod": _any(r"\bforce[- ]?delet", "강제.{0,4}삭제"),
    "delete-pod": _any(
        r"(?<!force )(?<!force-)\b(delete|kill|remove)\b.{0,14}\bpods?\b", r"(?<!강제 )파드.{0,6}(삭제|지우|죽)"
    ),
    "evict-pod": _any(r"\bevict(?!ed|ion)", "축출"),
    "drain": _any(r"\bdrain", "드레인"),
    "uncordon": _any(r"\buncordon", "언코든"),
    "cordon": _any(r"\bcordon", "(?<!언)코든"),
    "rerun-job": _any(r"\bre-?run\b|\brun\b.{0,12}\bagain\b", "다시.{0,4}(실행|돌)"),
    "delete-job": _any(r"\bdelete\b.{0,10}\bjob\b"),
    "suspend-cronjob": _any(r"\bsuspend\b", "스케줄.{0,4}중지"),
    "set-autoscaler": _any(r"\b(autoscaler|hpa)\b", "오토스케일"),
    "exec-command": _any(r"\b(exec|shell)\b|\brun a command", "명령.{0,4}실행"),
    "annotate-mute": _any(r"\b(mute|silence|ignore)\b", "음소거|알림.{0,4}끄"),
}
"""The catalogue's name → how people say it."""


def suggested(text: str) -> tuple[str, ...]:
    """The catalogue's actions that somebody suggests, whatever they would be done to."""
    if _SUGGESTED.search(text) is None:
        return ()
    return tuple(name for name, words in _ACTIONS.items() if words.search(text))[:ACTIONS]


def about(text: str, kind: str) -> tuple[str, ...]:
    """The same, of those that the catalogue has for a subject of this kind."""
    return tuple(name for name in suggested(text) if name in choices.names(kind))


def topics(text: str) -> Sequence[Topic]:
    """What else is asked; empty where that is not understood."""
    found = [topic for topic, words in _WORDS.items() if words.search(text)]
    if suggested(text) and "approving" not in found:
        return [topic for topic in found if topic not in _OF_A_SUGGESTION][: TOPICS - 1]
    narrow = [topic for topic in found if topic not in _GENERAL]
    return (narrow or found[:1])[:TOPICS]
