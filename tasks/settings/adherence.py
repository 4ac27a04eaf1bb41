from tasks.runtime.sections import Count, section


@section("adherence")
class Adherence:
    """How the likelihood of desired and undesired answers is measured."""

    batch_size: Count
