"""Where windows stand, against the definition."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.core.errors import OperatorError
from trainer.ops.window import Axis, Window, slide, slide_back

SMALL = st.integers(1, 4)


PADDING = 3


@st.composite
def axes(draw: st.DrawFn) -> Axis:
    """An axis with at most PADDING after its image."""
    kernel, stride, dilation, begin = (draw(SMALL) for _ in range(4))
    size = draw(st.integers(max(1, (kernel - 1) * dilation + 1 - begin - PADDING), 20))
    (axis,) = slide([size], [kernel], [stride], [dilation], [begin, PADDING], "NOTSET")
    return axis


@given(axes(), axes())
def test_every_element_of_every_position_meets_the_padded_image(first: Axis, second: Axis) -> None:
    window = Window([first, second])
    image = np.arange(1, first.size * second.size + 1).reshape(1, 1, *window.size)
    padded = window.pad(image)
    unfolded = window.unfolded(padded)
    for i in range(first.kernel):
        met = window.met(unfolded, i).reshape(second.kernel, *window.positions)
        for j in range(second.kernel):
            wanted = [
                [image[0, 0, n, m] if 0 <= n < first.size and 0 <= m < second.size else 0
                 for m in places(second, j)]
                for n in places(first, i)
            ]  # fmt: skip
            np.testing.assert_array_equal(met[j], wanted)
            np.testing.assert_array_equal(padded[window.reach((i, j))][0, 0], wanted)


def places(axis: Axis, element: int) -> list[int]:
    """Where one element of the window stands in the image, position by position."""
    return [n * axis.stride + element * axis.dilation - axis.begin for n in range(axis.positions)]


@given(axes())
def test_no_further_position_fits(axis: Axis) -> None:
    assert axis.end <= PADDING < axis.end + axis.stride


@given(axes())
def test_exchanging_twice_and_reversing_twice_is_nothing(axis: Axis) -> None:
    assert axis.exchanged().exchanged() == axis
    assert axis.exchanged().end == axis.end
    single = axis._replace(stride=1, positions=max(1, axis.positions))
    assert single.reversed().reversed() == single


@given(axes())
def test_sliding_back_is_the_way_back(axis: Axis) -> None:
    pads = [axis.begin, max(axis.end, 0)]
    back = slide_back(
        [axis.positions],
        [axis.kernel],
        [axis.stride],
        [axis.dilation],
        pads,
        "NOTSET",
        [max(-axis.end, 0)],
        None,
    )
    assert tuple(back) == (axis,)


@pytest.mark.parametrize(("auto_pad", "begin"), [("SAME_UPPER", 0), ("SAME_LOWER", 1)])
def test_same_padding_is_uneven_on_the_side_it_names(auto_pad: str, begin: int) -> None:
    (axis,) = slide([5], [2], [1], None, None, auto_pad)
    assert (axis.positions, axis.begin, axis.end) == (5, begin, 1 - begin)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"strides": [1]}, "2 spatial axes want 2 numbers in strides, not [1]"),
        ({"pads": [1, 1]}, "2 spatial axes want 4 numbers in pads, not [1, 1]"),
        ({"kernel": [3]}, "2 spatial axes want 2 numbers in kernel_shape, not [3]"),
        ({"kernel": [9, 1]}, "a window of 9 does not fit an image of 5 padded by 0 and 0"),
        (
            {"auto_pad": "SAME"},
            "auto_pad='SAME' is none of NOTSET, VALID, SAME_UPPER and SAME_LOWER",
        ),
    ],
)
def test_what_does_not_fit_is_said(changes: dict, reason: str) -> None:
    usual = {
        "kernel": [3, 3],
        "strides": None,
        "dilations": None,
        "pads": None,
        "auto_pad": "NOTSET",
    }
    with pytest.raises(OperatorError) as error:
        slide([5, 5], **(usual | changes))
    assert str(error.value) == reason
