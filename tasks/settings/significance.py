from tasks.runtime.sections import Count, Seed, Share, section


@section("significance")
class Significance:
    """The choices of the analysis that are made before its data are seen."""

    target: str  # the dataset whose effect is claimed
    control: str  # the dataset it is compared with
    primary: str  # metric of the confirmatory family
    secondary: str
    confidence: Share
    permutations: Count
    seed: Seed
    preferred: str | None  # metric of raters that takes the place of the primary one where they rated every text

    def __post_init__(self) -> None:
        if self.target == self.control:
            raise ValueError(f"control: expected another dataset than the target, found '{self.control}'")
