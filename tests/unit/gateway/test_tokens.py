from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chatterbus_contracts.errors import ErrorCode, Refusal
from chatterbus_gateway.principal import Principal
from chatterbus_gateway.settings import GatewaySettings
from chatterbus_gateway.token_keys import TokenKey, UnusableKey, key_set, pem_key, secret_key
from chatterbus_gateway.tokens import TokenVerifier
from tests.unit.gateway.token_maker import (
    ED25519,
    NOW_S,
    OTHER_RSA,
    P256,
    P384,
    RSA,
    SECRET,
    PrivateKey,
    by_hand,
    claims,
    jwk,
    jwks,
    pem,
    signed,
)


def verifier(*keys: TokenKey, **options: Any) -> TokenVerifier:
    return TokenVerifier(keys or (secret_key(SECRET),), clock=lambda: NOW_S, **options)


def refusal_of(token: str, checks: TokenVerifier | None = None) -> Refusal:
    with pytest.raises(Refusal) as caught:
        (checks or verifier()).verify_now(token)
    return caught.value


def test_a_good_token_says_everything_about_its_bearer() -> None:
    token = signed(user_type="seller", name="Alice", scope="chat:system x", jti="t-1", nbf=NOW_S - 5, iat=NOW_S - 5)
    assert verifier().verify_now(token) == Principal(
        user_id="alice",  # type: ignore[arg-type]
        user_type="seller",
        name="Alice",
        scopes=frozenset({"chat:system", "x"}),
        expires_at=NOW_S + 60,
        issued_at=NOW_S - 5,
        token_id="t-1",
        dev=False,
    )


async def test_waiting_and_not_waiting_give_the_same_answer() -> None:
    token = signed()
    assert await verifier().verify(token) == verifier().verify_now(token)
    with pytest.raises(Refusal):
        await verifier().verify("nonsense")


def test_what_is_left_out_has_a_default() -> None:
    principal = verifier().verify_now(signed())
    assert principal is not None
    assert (principal.user_type, principal.name, principal.scopes, principal.token_id) == (
        "user",
        None,
        frozenset(),
        None,
    )


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"sub": None}, "sub must be a string"),
        ({"sub": 42}, "sub must be a string"),
        ({"sub": ""}, "sub is not a valid id"),
        ({"sub": "a b"}, "sub is not a valid id"),
        ({"sub": "a.b"}, "sub is not a valid id"),
        ({"sub": ">"}, "sub is not a valid id"),
        ({"sub": "a" * 129}, "sub is not a valid id"),
        ({"sub": "a\x00"}, "sub is not a valid id"),
        ({"user_type": "a*"}, "user_type is not a valid id"),
        ({"user_type": 1}, "user_type must be a string"),
        ({"name": ["x"]}, "name must be a string"),
        ({"jti": 7}, "jti must be a string"),
        ({"scope": {"chat:admin": True}}, "scope must be words"),
        ({"scope": ["chat:admin", 1]}, "scope must be words"),
        ({"exp": None}, "exp is required"),
        ({"exp": str(NOW_S + 60)}, "exp must be a number"),
        ({"exp": True}, "exp must be a number"),
        ({"exp": 10**400}, "exp is out of range"),
        ({"exp": -1}, "exp is out of range"),
        ({"nbf": NOW_S + 31}, "nbf lies in the future"),
        ({"iat": NOW_S + 31}, "iat lies in the future"),
        ({"iat": "now"}, "iat must be a number"),
    ],
)
def test_a_wrong_claim_is_named_and_its_value_is_not(change: dict[str, Any], said: str) -> None:
    refusal = refusal_of(by_hand({"alg": "HS256"}, claims(**change)))
    assert refusal.code is ErrorCode.AUTH_FAILED
    assert said in refusal.message


def test_an_expired_token_has_a_code_of_its_own() -> None:
    assert refusal_of(signed(exp=NOW_S)).code is ErrorCode.TOKEN_EXPIRED
    assert refusal_of(signed(exp=NOW_S - 3600)).code is ErrorCode.TOKEN_EXPIRED
    assert verifier().verify_now(signed(exp=NOW_S + 0.1)) is not None


def test_an_issuer_s_clock_may_be_ahead_by_half_a_minute() -> None:
    assert verifier().verify_now(signed(nbf=NOW_S + 29, iat=NOW_S + 29)) is not None


def test_scope_may_be_a_list_and_a_long_name_is_cut() -> None:
    principal = verifier().verify_now(signed(scope=["chat:admin"], name="n\x00" * 200))
    assert principal is not None
    assert principal.scopes == {"chat:admin"}
    assert principal.name == "n" * 100


@pytest.mark.parametrize("aud", [None, "other", ["other", "another"], 5, {"chat": 1}])
def test_a_token_for_somebody_else_is_refused(aud: Any) -> None:
    refusal = refusal_of(by_hand({"alg": "HS256"}, claims(aud=aud)), verifier(audience="chat"))
    assert "aud" in refusal.message


@pytest.mark.parametrize("aud", ["chat", ["other", "chat"]])
def test_a_token_for_us_among_others_is_accepted(aud: Any) -> None:
    assert verifier(audience="chat").verify_now(signed(aud=aud)) is not None


@pytest.mark.parametrize("iss", [None, "https://evil.example", ["https://issuer.example"]])
def test_another_issuer_is_refused(iss: Any) -> None:
    token = by_hand({"alg": "HS256"}, claims(iss=iss))
    assert "iss" in refusal_of(token, verifier(issuer="https://issuer.example")).message


@pytest.mark.parametrize(
    ("key", "algorithm"),
    [(RSA, "RS256"), (RSA, "RS512"), (RSA, "PS256"), (P256, "ES256"), (P384, "ES384"), (ED25519, "EdDSA")],
)
def test_a_pem_key_checks_the_algorithms_of_its_type(key: PrivateKey, algorithm: str) -> None:
    assert verifier(pem_key(pem(key))).verify_now(signed(key, algorithm)) is not None


ALGORITHM_TRICKS = {
    "none": by_hand({"alg": "none"}, claims()).rsplit(".", 1)[0] + ".",
    "None": by_hand({"alg": "None"}, claims()).rsplit(".", 1)[0] + ".",
    "no alg": by_hand({}, claims()),
    "alg of another type": by_hand({"alg": ["HS256"]}, claims()),
    "public key as secret": by_hand({"alg": "HS256"}, claims(), pem(RSA).encode()),
    "public key as secret, RS256 said": by_hand({"alg": "RS256"}, claims(), pem(RSA).encode()),
    "key in the header": by_hand({"alg": "HS256", "jwk": {"kty": "oct", "k": "AAAA"}}, claims(), b"\x00" * 32),
    "stronger HMAC": signed(SECRET * 2, "HS512"),
    "another RSA key": signed(OTHER_RSA, "RS256"),
    "another type of key": signed(P256, "ES256"),
    "kid that is a path": signed(OTHER_RSA, "RS256", headers={"kid": "../../dev/null"}),
    "kid that is no text": by_hand({"alg": "RS256", "kid": 1}, claims()),
    "unknown crit": by_hand({"alg": "HS256", "crit": ["exp"], "exp": 1}, claims()),
    "payload left out": by_hand({"alg": "HS256", "b64": False, "crit": ["b64"]}, b""),
}


@pytest.mark.parametrize("token", ALGORITHM_TRICKS.values(), ids=ALGORITHM_TRICKS.keys())
def test_a_token_never_chooses_how_it_is_checked(token: str) -> None:
    for checks in (verifier(pem_key(pem(RSA))), verifier(secret_key(b"another secret, just as long as it must be"))):
        assert refusal_of(token, checks).code is ErrorCode.AUTH_FAILED


def test_with_a_secret_and_a_public_key_each_keeps_its_own_algorithms() -> None:
    both = verifier(secret_key(SECRET), pem_key(pem(RSA)))
    assert both.verify_now(signed()) is not None
    assert both.verify_now(signed(RSA, "RS256")) is not None
    assert refusal_of(by_hand({"alg": "HS256"}, claims(), pem(RSA).encode()), both).code is ErrorCode.AUTH_FAILED


MALFORMED = {
    "empty": "",
    "dots": "..",
    "one segment": "abc",
    "deep header": by_hand(b"[" * 9_000, claims()),
    "deep payload": by_hand({"alg": "HS256"}, b'{"a":' * 1_500 + b"1" + b"}" * 1_500),
    "payload is a list": by_hand({"alg": "HS256"}, []),
    "payload is text": by_hand({"alg": "HS256"}, b"not JSON"),
    "payload holds NaN": by_hand({"alg": "HS256"}, b'{"sub":"a","exp":NaN}'),
    "payload is not UTF-8": by_hand({"alg": "HS256"}, b'{"sub":"\xff"}'),
    "too long": signed(name="x" * 20_000),
    "cut": signed()[:-1],
    "line break": signed() + "\n",
    "lone surrogate": "\ud800.\ud800.\ud800",
    "letters outside ASCII": "ä.ä.ä",
}


@pytest.mark.parametrize("token", MALFORMED.values(), ids=MALFORMED.keys())
def test_a_malformed_token_is_refused(token: str) -> None:
    assert refusal_of(token).code is ErrorCode.AUTH_FAILED


@given(st.one_of(st.text(), st.from_regex(r"[A-Za-z0-9_=-]*\.[A-Za-z0-9_=-]*\.[A-Za-z0-9_=-]*", fullmatch=True)))
@example("e30.e30.")
def test_no_text_at_all_gives_anything_but_a_refusal(text: str) -> None:
    assert refusal_of(text).code is ErrorCode.AUTH_FAILED


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
CLAIMS = ("sub", "exp", "nbf", "iat", "aud", "iss", "name", "scope", "jti", "user_type")


@given(st.dictionaries(st.sampled_from(CLAIMS), json_values), st.booleans())
def test_no_signed_claims_give_anything_but_a_principal_or_a_refusal(changes: dict[str, Any], on_top: bool) -> None:
    token = by_hand({"alg": "HS256"}, claims() | changes if on_top else changes)
    outcome = attempt(token)
    if isinstance(outcome, Refusal):
        assert outcome.code in (ErrorCode.AUTH_FAILED, ErrorCode.TOKEN_EXPIRED)
        assert "\n" not in outcome.message
    else:
        assert outcome is not None
        assert outcome.expires_at is not None
        assert outcome.expires_at > NOW_S


def attempt(token: str) -> Principal | Refusal | None:
    try:
        return verifier().verify_now(token)
    except Refusal as refusal:
        return refusal


def test_a_refusal_shows_no_part_of_the_token() -> None:
    for token in (signed(sub="secret-person!"), signed()[:-4], signed(OTHER_RSA, "RS256"), by_hand({"alg": "x"}, {})):
        message = refusal_of(token).message
        assert "secret-person" not in message
        assert not any(segment and segment in message for segment in token.split("."))


def test_a_short_secret_is_refused_at_the_start() -> None:
    with pytest.raises(UnusableKey, match="shorter than 32 bytes"):
        secret_key(b"x" * 31)


@pytest.mark.parametrize(
    "text", ["", "junk", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----", SECRET.decode()]
)
def test_what_is_no_public_key_is_refused_at_the_start(text: str) -> None:
    with pytest.raises(UnusableKey):
        pem_key(text)


def test_the_configured_keys_are_used() -> None:
    settings = GatewaySettings(gateway_jwt_secret=SECRET.decode(), gateway_jwt_audience="chat")
    checks = TokenVerifier.from_settings(settings)
    assert checks.verify_now(signed(exp=4_000_000_000, aud="chat")) is not None
    assert "aud" in refusal_of(signed(exp=4_000_000_000), checks).message


def test_development_mode_without_a_key_takes_no_token() -> None:
    checks = TokenVerifier.from_settings(GatewaySettings(gateway_dev_mode=True))
    assert refusal_of(signed(), checks).code is ErrorCode.AUTH_FAILED


# --- key sets ---


def test_a_key_set_keeps_public_signature_keys_and_passes_over_the_rest() -> None:
    weak = {"kty": "RSA", "n": "AQAB" * 32, "e": "AQAB", "kid": "weak"}
    keys = key_set(
        jwks(
            jwk(RSA, kid="rsa", use="sig"),
            jwk(P256, kid="ec"),
            jwk(ED25519, kid="ed"),
            {"kty": "oct", "k": "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY", "kid": "oct", "alg": "HS256"},
            jwk(OTHER_RSA, kid="for encryption", use="enc"),
            jwk(OTHER_RSA, kid="lies", alg="HS256"),
            jwk(OTHER_RSA, kid="wrong type", alg="ES256"),
            jwk(OTHER_RSA, kid="private", d="AQAB"),
            jwk(OTHER_RSA, kid=5),
            weak,
            {"kty": "future"},
            "no key",  # type: ignore[arg-type]
        )
    )
    assert [key.kid for key in keys] == ["rsa", "ec", "ed"]
    assert all("HS256" not in key.algorithms and "none" not in key.algorithms for key in keys)


def test_a_declared_algorithm_is_the_only_one() -> None:
    (key,) = key_set(jwks(jwk(RSA, alg="RS256")))
    assert key.algorithms == {"RS256"}


@pytest.mark.parametrize("document", [b"", b"[]", b"{}", b'{"keys": {}}', b'{"keys": []}', b"<html>", b"[" * 100_000])
def test_what_is_no_key_set_is_refused(document: bytes) -> None:
    with pytest.raises(UnusableKey):
        key_set(document)
