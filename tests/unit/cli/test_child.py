from chatterbus.child import Backoff, describe_exit


def test_pauses_double_from_a_fifth_of_a_second_to_five_seconds() -> None:
    backoff, pauses = Backoff(), []
    for _ in range(7):
        pause_s, backoff = backoff.after_death(lived_s=1)
        pauses.append(pause_s)
    assert pauses == [0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]


def test_a_long_life_is_forgiven_its_past() -> None:
    backoff = Backoff(next_s=5.0)
    pause_s, backoff = backoff.after_death(lived_s=30)
    assert pause_s == 0.2
    assert backoff.next_s == 0.4


def test_exit_is_described_by_code_or_signal_name() -> None:
    assert describe_exit(3) == "exited with code 3"
    assert describe_exit(-9) == "was killed by SIGKILL"
    assert describe_exit(-250) == "was killed by signal 250"
