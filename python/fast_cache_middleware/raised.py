"""What an application raised, for those who waited for its answer: each gets an exception of its own.

Whoever handles an exception writes to it: the interpreter adds to its traceback with each frame that it leaves, and
middlewares note on it whose request it was. One that all have would grow with their number, and tell one client of
another.
"""

from types import GetSetDescriptorType, MemberDescriptorType

_IS_MADE_AT_RUN_TIME = 1 << 9
"""`Py_TPFLAGS_HEAPTYPE`, in a class's `__flags__`."""


def another(raised: BaseException) -> BaseException:
    """The same exception once more, made without a call of its author's code.

    What it refers to is shared, but for the exceptions of a group, since these are handled by themselves. Raises
    `TypeError` where an extension module keeps more in its exceptions than can be copied.
    """
    kind = type(raised)
    maker = next(base for base in kind.__mro__ if not base.__flags__ & _IS_MADE_AT_RUN_TIME)
    arguments = raised.args
    if isinstance(raised, BaseExceptionGroup):
        arguments = (raised.message, [another(one) for one in raised.exceptions])
    made: BaseException = maker.__new__(kind, *arguments)
    put = BaseException.__setattr__
    put(made, "args", arguments)
    for base in kind.__mro__[: kind.__mro__.index(BaseException)]:
        _copy_slots(base, raised, made)
    made.__dict__.update(raised.__dict__)
    if isinstance(notes := made.__dict__.get("__notes__"), list):
        made.__dict__["__notes__"] = list(notes)
    # The last of them, since a cause suppresses the context.
    for name in ("__context__", "__cause__", "__suppress_context__"):
        put(made, name, getattr(raised, name))
    return made.with_traceback(raised.__traceback__)


def _copy_slots(base: type, raised: BaseException, made: BaseException) -> None:
    """What instances keep outside their dictionary because of one of their classes."""
    for name, slot in vars(base).items():
        if name in ("__dict__", "__weakref__") or not isinstance(slot, GetSetDescriptorType | MemberDescriptorType):
            continue
        try:
            value = slot.__get__(raised)
            # `None` stands for what is not there, which is not the same to all.
            if value is not None:
                slot.__set__(made, value)
        except (AttributeError, TypeError):
            # It is not there, or cannot be written.
            pass
