"""Models that need not be given all that they take, or take nothing."""

from pathlib import Path

from tests.serve.models import publish
from tests.serve.process import Server, wait_until

# Weights that may be given as well, as older exporters wrote them.
SCALED = "(float[N,3] x, float[3] w = {1, 2, 3}) => (float[N,3] y) { y = Mul(x, w) }"
NOTHING = "() => (float[2] y) { y = Constant<value_floats = [1.0, 2.0]>() }"


def test_what_need_not_be_given_is_left_out(tmp_path: Path) -> None:
    publish(tmp_path, "scaled", 1, SCALED)
    publish(tmp_path, "nothing", 1, NOTHING)
    with Server(tmp_path) as server:
        client = server.client()
        for name in ("scaled", "nothing"):
            wait_until(lambda name=name: client.is_available(name), name)
        x, scaled = [[1, 1, 1], [1, 0, 2]], [[1.0, 2.0, 3.0], [1.0, 0.0, 6.0]]
        assert client.predict("scaled", x) == scaled
        path = "/v1/models/{}:predict"
        ask = {"instances": [{"x": x[0]}, {"x": x[1]}]}
        assert client.post(path.format("scaled"), ask) == (200, {"predictions": scaled})
        for inputs in (x, {"x": x}):
            asked = client.post(path.format("scaled"), {"inputs": inputs})
            assert asked == (200, {"outputs": scaled})
        tripled = client.post(path.format("scaled"), {"inputs": {"x": x, "w": [3, 3, 3]}})
        assert tripled == (200, {"outputs": [[3.0, 3.0, 3.0], [3.0, 0.0, 6.0]]})

        assert client.post(path.format("nothing"), {"inputs": {}}) == (200, {"outputs": [1.0, 2.0]})
        for body in ({"inputs": []}, {"instances": [1]}, {"instances": []}):
            assert client.post(path.format("nothing"), body)[0] == 400
        client.close()
