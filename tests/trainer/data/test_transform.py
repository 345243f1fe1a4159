"""Transforms: what they compute, and that they survive being written down."""

import json

import numpy as np
import pytest

from trainer.core.errors import DataError
from trainer.data import Channels, Compose, Scale, Standardize

ROWS = np.random.default_rng(0).normal(5, [1, 10, 0.01], size=(200, 3)).astype(np.float32)


def test_standardized_features_have_mean_0_and_deviation_1():
    x = Standardize().fit(ROWS)(ROWS)
    assert x.dtype == np.float32
    np.testing.assert_allclose(x.mean(axis=0, dtype=np.float64), 0, atol=1e-4)
    np.testing.assert_allclose(x.std(axis=0, dtype=np.float64), 1, rtol=1e-5)


def test_constant_features_are_only_shifted():
    x = np.array([[0.1, 1.0], [0.1, 3.0], [0.1, 5.0]], np.float32)
    transform = Standardize().fit(x)
    assert transform.scale[0] == 1
    assert np.all(transform(x)[:, 0] == 0)
    assert transform(np.float32([[1.1, 3.0]])).tolist() == [[1.0, 0.0]]


def test_new_rows_are_measured_by_the_training_rows():
    transform = Standardize().fit(np.array([[0.0], [2.0]]))
    np.testing.assert_array_equal(transform(np.array([[0.0], [2.0], [4.0]])), [[-1], [1], [3]])


def test_standardize_fits_images_pixel_by_pixel():
    images = np.random.default_rng(0).integers(0, 256, (50, 4, 4), dtype=np.uint8)
    transform = Standardize().fit(images)
    assert transform.mean.shape == (4, 4)
    np.testing.assert_allclose(transform.mean, images.mean(axis=0), rtol=1e-6)


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.float64, np.float32, np.bool_])
def test_scale_divides_in_single_precision(dtype):
    x = np.array([[0, 1], [1, 1]], dtype)
    scaled = Scale(3)(x)
    assert scaled.dtype == np.float32
    np.testing.assert_array_equal(scaled, x.astype(np.float32) / np.float32(3))


def test_channels_are_put_in_behind_the_rows():
    assert Channels()(np.ones((5, 8, 7))).shape == (5, 1, 8, 7)


def test_inputs_are_left_alone():
    x = np.ones((2, 3), np.float32)
    Compose([Scale(2), Standardize()]).fit(x)(x)
    assert x.tolist() == [[1] * 3] * 2


def test_composed_transforms_are_fitted_in_turn():
    images = np.random.default_rng(0).integers(0, 17, (50, 8, 8)).astype(np.float32)
    prepare = Compose([Scale(16), Standardize(), Channels()]).fit(images)
    by_hand = (images / 16 - (images / 16).mean(axis=0)) / (images / 16).std(axis=0)
    np.testing.assert_allclose(prepare(images), by_hand[:, np.newaxis], rtol=1e-4, atol=1e-5)


def test_a_transform_is_its_three_public_values():
    images = np.random.default_rng(0).integers(0, 17, (50, 8, 8)).astype(np.float32)
    for transform in (Scale(16), Standardize().fit(images), Channels()):
        expected = np.expand_dims((images - transform.mean) / transform.scale, transform.axes)
        np.testing.assert_array_equal(transform(images), expected)


def test_what_was_written_as_json_computes_the_same_to_the_bit():
    prepare = Compose([Scale(0.3), Standardize()]).fit(ROWS)
    again = Compose.from_config(json.loads(json.dumps(prepare.config())))
    np.testing.assert_array_equal(again(ROWS), prepare(ROWS))
    assert again.config() == prepare.config()


def test_recipes_name_a_transform_with_or_without_arguments():
    prepare = Compose.from_config([{"kind": "scale", "divisor": 16}, "standardize", "channels"])
    assert [type(one) for one in prepare.transforms] == [Scale, Standardize, Channels]
    assert prepare.transforms[0].scale == 16


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        (
            "standardise",
            r"no transform 'standardise'\. Did you mean 'standardize'\? .* standardize, ",
        ),
        ({"divisor": 2}, r"There is no transform 'None'\."),
        ({"kind": "scale", "factor": 2}, r"The transform 'scale' cannot be made from .*'factor'"),
        (
            {"kind": "scale", "divisor": "much"},
            r"'scale' cannot be made from \{'divisor': 'much'\}",
        ),
        ({"kind": "scale", "divisor": 0}, r"Scale needs finite means and scales above 0\."),
        ({"kind": "standardize", "mean": [float("nan")]}, r"Standardize needs finite means"),
    ],
)
def test_bad_configurations_are_one_sentence(config, sentence):
    with pytest.raises(DataError, match=sentence):
        Compose.from_config([config])


def test_rows_of_another_shape_are_one_sentence():
    transform = Standardize().fit(ROWS)
    with pytest.raises(DataError, match=r"fitted to rows of shape \[3\], .* rows of shape \[4\]\."):
        transform(np.ones((2, 4), np.float32))
