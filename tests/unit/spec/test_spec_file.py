"""project.toml: what it takes, and the field that it names when it does not."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.errors import FairshareError, Reason
from marketplace.node.windows import require_meetable
from marketplace.protocol import fixed_point
from marketplace.spec import ChainSection, CircuitSection, ProjectFile, rules, template
from marketplace.spec.amounts import MAX_AMOUNT, parse_amount
from marketplace.spec.rules import least_max_norm_squared


def edited(section: str, line: str, kind: str = "softmax") -> str:
    """The template with one line of a section put in, in place of that field if it is there."""
    name = line.split("=")[0].strip()
    head, rest = template(kind).split(f"[{section}]\n", 1)
    body, *tail = re.split(r"(?m)^(?=\[)", rest, maxsplit=1)
    body = re.sub(rf"(?m)^{name} = .*\n", "", body)
    return f"{head}[{section}]\n{line}\n{body}{''.join(tail)}"


def refusal(text: str | bytes) -> FairshareError:
    with pytest.raises(FairshareError) as caught:
        ProjectFile.from_toml(text)
    assert "\n" not in str(caught.value)
    return caught.value


@pytest.mark.parametrize(("kind", "length"), [("softmax", 650), ("mlp", 970), ("cnn", 1_025_866)])
def test_templates_are_projects_and_survive_a_round_trip(kind: str, length: int) -> None:
    project = ProjectFile.from_toml(template(kind))
    assert project.length == length
    assert ProjectFile.from_toml(project.to_toml()) == project


def test_no_score_costs_stake_in_a_template_for_tables() -> None:
    """Up to 30 % of the honest trainers of small one-sided tables would be struck: benchmarks/strikes.py."""
    assert ProjectFile.from_toml(template("softmax")).scoring.strike_factor == 800
    assert ProjectFile.from_toml(template("tabular")).scoring.strike_factor == 0


def test_an_unknown_template_is_refused() -> None:
    with pytest.raises(FairshareError) as caught:
        template("forest")
    assert caught.value.reason is Reason.BAD_INPUT


@pytest.mark.parametrize(
    ("section", "line"),
    [
        ("project", 'name = ""'),
        ("project", 'name = "two\\nlines"'),
        ("project", 'visibility = "sealed"'),
        ("project", 'colour = "red"'),
        ("task", "classes = 1"),
        ("task", "features = 0"),
        ("task", "features = 64.0"),
        ("task", 'kind = "forest"'),
        ("task", 'kind = "Not A Name"'),
        ("task", "hidden = 3"),
        ("training", "epochs = true"),
        ("training", "epochs = 0"),
        ("training", 'batch_size = "16"'),
        ("training", "learning_rate = nan"),
        ("training", "learning_rate = 0.0"),
        ("training", "clip_norm = inf"),
        ("training", "momentum = 1.0"),
        ("training", "seed = -1"),
        ("rounds", "count = 0"),
        ("rounds", "join_window = 0"),
        ("rounds", "count = 65001"),
        ("rounds", "batch_window = 3600"),
        ("rounds", "answer_window = 0"),
        ("rounds", "challenge_window = 3601"),
        ("cohort", "slots = 17"),
        ("cohort", "slots = 16"),  # and the reference
        ("cohort", "trainers = 9"),
        ("cohort", "trainers = 16777217"),
        ("cohort", "cohorts = 0"),
        ("cohort", "cohorts = 16"),
        ("cohort", "faults = 4"),
        ("cohort", "faults = -1"),
        ("reward", 'amount = "-1"'),
        ("reward", "amount = 0.5"),
        ("reward", 'amount = "0"'),
        ("reward", f'amount = "{MAX_AMOUNT}"'),
        ("reward", 'aggregator_fee = "1 eth"'),
        ("stakes", 'trainer = "1.5"'),
        ("stakes", 'complaint_deposit = "0.07 eth"'),  # three of them exceed the bond
        ("stakes", 'complaint_deposit = "0.11 eth"'),
        ("stakes", 'reveal = "-1"'),
        ("scoring", 'rule = "loudest"'),
        ("scoring", 'fallback_rule = "reference"'),
        ("scoring", "reference_share = 0"),
        ("scoring", "reference_share = 10001"),
        ("scoring", "strike_factor = 100"),
        ("scoring", "strike_factor = 65536"),
        ("scoring", "strike_slash = 10001"),
        ("scoring", "duplicate_cosine = 10001"),
        ("settlement", 'mode = "never"'),
        ("arithmetic", "scale_bits = 0"),
        ("arithmetic", "scale_bits = 17"),
        ("arithmetic", "scale_bits = 30"),
        ("arithmetic", "max_norm_squared = 5"),
        ("evaluation", 'sha256 = "AB"'),
        ("storage", 'peers = ["not a multiaddress"]'),
    ],
)
def test_a_wrong_field_is_named(section: str, line: str) -> None:
    error = refusal(edited(section, line))
    assert error.reason is Reason.BAD_SPEC
    assert error.message.startswith(f"{section}.{line.split('=')[0].strip()}")
    assert error.hint


@pytest.mark.parametrize(
    "line",
    [
        "hidden = 0",
        'hidden = "16"',
        "hidden = true",
        "pool = 5",
        'trained = "some"',
        "depth = 2",
        "draw = -1",
    ],
)
def test_a_wrong_option_of_the_task_is_named(line: str) -> None:
    error = refusal(edited("task", line, "mlp"))
    assert error.reason is Reason.BAD_SPEC
    assert error.message.startswith("task." + line.split(" ")[0])


def projection(text: str) -> str:
    """The template without the reference rule and what belongs to it."""
    text = text.replace('rule = "reference"', 'rule = "projection"')
    text = re.sub(r"(?m)^(fallback_rule|reference_share|reveal) = .*\n", "", text)
    return text.replace('[validation]\nfile = "validation.npz"', "")


def test_other_rules_need_no_validation_set() -> None:
    plain = re.sub(r"(?m)#.*$", "", template("softmax"))
    project = ProjectFile.from_toml(projection(plain))
    assert not project.has_reference
    assert project.inputs == 10
    assert project.scoring.reference_share == 0
    assert ProjectFile.from_toml(project.to_toml()) == project


@pytest.mark.parametrize(
    ("section", "line"),
    [
        ("scoring", 'fallback_rule = "cosine"'),
        ("scoring", "reference_share = 1"),
        ("stakes", 'reveal = "1"'),
    ],
)
def test_what_only_the_reference_rule_has_is_refused_elsewhere(section: str, line: str) -> None:
    plain = re.sub(r"(?m)#.*$", "", template("softmax"))
    head, tail = projection(plain).split(f"[{section}]\n", 1)
    assert refusal(f"{head}[{section}]\n{line}\n{tail}").message.startswith(f"{section}.{line.split(' ')[0]}")


def test_the_reference_rule_and_a_validation_set_go_together() -> None:
    plain = re.sub(r"(?m)#.*$", "", template("softmax"))
    missing = plain.replace('[validation]\nfile = "validation.npz"', "")
    assert refusal(missing).message.startswith("validation.file")
    unused = projection(plain) + '\n[validation]\nfile = "validation.npz"\n'
    assert refusal(unused).message.startswith("validation.file")


def test_what_is_left_out_follows_from_the_rest() -> None:
    text = re.sub(
        r"(?m)^(answer_window|challenge_window|trainers|cohorts|complaint_deposit|reveal|rule|reference_share) = .*\n",
        "",
        template("softmax"),
    )
    project = ProjectFile.from_toml(text)
    assert project.has_reference
    assert (project.inputs, project.divisor) == (11, 8)
    assert (project.rounds.batch_window, project.rounds.answer_window) == (0, 1800)
    assert project.rounds.challenge_window == 1800
    assert (project.cohort.cohorts, project.cohort.trainers) == (1, 10)
    assert (project.stakes.complaint_deposit, project.stakes.reveal) == (10**15, 0)
    assert project.scoring.reference_share == 8000
    assert project.aggregators.allowed == ()


def test_several_cohorts_share_an_update_s_scale() -> None:
    text = (
        template("softmax").replace("cohorts = 1 ", "cohorts = 3 ").replace("trainers = 10", "trainers = 40")
    )
    project = ProjectFile.from_toml(text)
    assert (project.cohort.trainers, project.divisor) == (40, 24)


def test_an_aggregator_is_listed_once() -> None:
    listed = '", "'.join(["0x" + "AB" * 20, "0x" + "ab" * 20])
    text = template("softmax") + f'\n[aggregators]\nallowed = ["{listed}"]\n'
    assert refusal(text).message.startswith("aggregators.allowed")


def test_missing_and_unknown_sections_are_named() -> None:
    assert refusal(template("softmax").replace("[stakes]", "[steaks]")).message.split(":")[0] in (
        "stakes",
        "steaks",
    )
    assert refusal("").message.startswith("project: ")
    assert refusal(template("softmax").replace('file = "evaluation.npz"', "")).message.startswith(
        "evaluation.file"
    )


def test_the_model_must_stay_in_range_over_all_rounds() -> None:
    text = edited("rounds", "count = 5000").replace('"0.01 eth"', '"0"')
    assert refusal(text).message.startswith("rounds.count")


def test_slashing_needs_a_stake() -> None:
    text = edited("stakes", 'trainer = "0"').replace('"0.001 eth"', '"0"')
    assert refusal(text).message.startswith("scoring.strike_slash")


def test_beyond_the_exact_path_says_the_limit() -> None:
    error = refusal(edited("task", "features = 2000"))
    assert error.reason is Reason.TOO_LARGE
    assert "100000" in error.message


@pytest.mark.parametrize(
    "text", [b"\xff", "name = ", "a = 1\na = 2", "[" * 5000, "x = " + "[" * 5000, "a = \ud800"]
)
def test_rubbish_is_no_toml(text: str | bytes) -> None:
    assert refusal(text).reason is Reason.BAD_SPEC


def test_a_huge_file_is_refused() -> None:
    assert refusal("#" * 100_000).reason is Reason.TOO_LARGE


def test_a_token_is_native_or_an_address() -> None:
    text = edited("reward", 'token = "0x12"').replace(" eth", "").replace("0.", "")
    assert refusal(text).message.startswith("reward.token")


def test_only_the_native_coin_has_units() -> None:
    token = 'token = "0x' + "AB" * 20 + '"'
    assert refusal(edited("reward", token)).message.startswith("reward.amount")
    text = edited("reward", token)
    for amount, units in (("1 eth", "1000000"), ("0.01 eth", "10"), ("0.1 eth", "10"), ("0.2 eth", "100")):
        text = text.replace(f'"{amount}"', f'"{units}"')
    for amount in ("0.001 eth", "0.05 eth"):
        assert refusal(text).message.startswith("stakes.")
        text = text.replace(f'"{amount}"', '"1"')
    assert ProjectFile.from_toml(text).reward.token == "0x" + "ab" * 20


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("0", 0),
        ("12", 12),
        ("12 wei", 12),
        ("1.5 gwei", 15 * 10**8),
        ("0.000000000000000001 eth", 1),
        ("2eth", 2 * 10**18),
    ],
)
def test_amounts(text: str, amount: int) -> None:
    assert parse_amount(text) == amount


@pytest.mark.parametrize(
    "text",
    [
        "",
        " 1",
        "1 ",
        "+1",
        "1.",
        ".5 eth",
        "1e3",
        "1_000",
        "0x1",
        "١",
        "1.0",
        "0.1 wei",
        "9" * 39,
        "9" * 29 + " eth",
        "1 ETH",
    ],
)
def test_no_amounts(text: str) -> None:
    with pytest.raises(ValueError, match="amount"):
        parse_amount(text)


@given(st.integers(0, MAX_AMOUNT))
def test_an_amount_is_its_digits(amount: int) -> None:
    assert parse_amount(str(amount)) == amount


@given(
    st.integers(1, 2000),
    st.integers(3, 16),
    st.integers(2, 20),
    st.floats(0.01, 1000),
    st.integers(0, 2**32 - 1),
    st.booleans(),
)
def test_an_honest_update_is_within_the_derived_bound(
    length: int, divisor: int, scale_bits: int, clip_norm: float, seed: int, halves: bool
) -> None:
    generator = np.random.default_rng(seed)
    delta = generator.normal(size=length) * 10 ** generator.uniform(-3, 6)
    if halves:  # every entry on the worst place for rounding
        delta = np.full(length, np.ldexp(divisor * (2 * generator.integers(0, 20) + 1) / 2, -scale_bits))
    update = fixed_point.quantise(fixed_point.clip(delta, clip_norm), scale_bits, divisor).astype(object)
    assert int(update @ update) <= least_max_norm_squared(clip_norm, scale_bits, divisor, length)


def test_the_derived_bound_is_tight() -> None:
    # sqrt(N_max) exceeds the longest exact update by the rounding alone.
    bound = least_max_norm_squared(40.0, 14, 8, 650)
    assert math.isqrt(bound) - 40 * 2**14 // 8 <= math.sqrt(650) / 2 + 1


def test_posting_checks_what_it_is_given(
    project_file: ProjectFile, circuit: CircuitSection, chain: ChainSection
) -> None:
    def post(
        circuit: CircuitSection = circuit,
        initial_model: str = circuit.vk,
        sha256: str = "cd" * 32,
        validation: str | None = "0x" + "ef" * 32,
    ) -> None:
        project_file.post(
            circuit=circuit,
            chain=chain,
            initial_model=initial_model,
            evaluation_sha256=sha256,
            validation=validation,
        )

    post()
    for wrong, field in (
        ({"circuit": circuit.model_copy(update={"length": 649})}, "task"),
        ({"circuit": circuit.model_copy(update={"slots": 9})}, "circuit.slots"),
        ({"initial_model": "bafy"}, "initial_model"),
        ({"sha256": "cd"}, "evaluation.sha256"),
        ({"validation": "0xef"}, "validation.commitment"),
        ({"validation": None}, "validation"),
    ):
        with pytest.raises(FairshareError) as caught:
            post(**wrong)
        assert caught.value.reason is Reason.BAD_SPEC
        assert caught.value.message.startswith(field)


def test_a_stated_hash_must_be_that_of_the_file(circuit: CircuitSection, chain: ChainSection) -> None:
    project = ProjectFile.from_toml(edited("evaluation", f'sha256 = "{"ab" * 32}"'))
    with pytest.raises(FairshareError) as caught:
        project.post(circuit=circuit, chain=chain, initial_model=circuit.vk, evaluation_sha256="cd" * 32)
    assert caught.value.message.startswith("evaluation.sha256")


def test_a_model_that_no_transaction_could_carry_is_refused(project_file: ProjectFile) -> None:
    rules.check_arithmetic(project_file, 14, 2**62, rules.MAX_LENGTH)
    with pytest.raises(FairshareError) as caught:
        rules.check_arithmetic(project_file, 14, 2**62, rules.MAX_LENGTH + 1)
    assert caught.value.reason is Reason.TOO_LARGE
    assert "transaction" in caught.value.message


@pytest.mark.parametrize("name", ["join", "submit", "answer", "result", "challenge"])
def test_short_windows_are_for_development_chains(project_file: ProjectFile, name: str) -> None:
    rounds = project_file.rounds
    require_meetable(rounds, 1)
    require_meetable(rounds.model_copy(update={f"{name}_window": rules.LEAST_WINDOW_S}), 1)
    short = rounds.model_copy(update={f"{name}_window": rules.LEAST_WINDOW_S - 1})
    require_meetable(short, 31337)
    with pytest.raises(FairshareError) as caught:
        require_meetable(short, 1)
    assert caught.value.reason is Reason.BAD_SPEC
    assert f"rounds.{name}_window" in caught.value.message


def test_a_batch_leaves_time_to_submit(project_file: ProjectFile) -> None:
    rounds = project_file.rounds
    require_meetable(rounds.model_copy(update={"batch_window": 3000}), 1)
    with pytest.raises(FairshareError) as caught:
        require_meetable(rounds.model_copy(update={"batch_window": 3001}), 1)
    assert "rounds.batch_window" in caught.value.message
