"""Make the models of this folder: what scikit-learn has trained, as skl2onnx writes it.

    pip install scikit-learn==1.9.1 skl2onnx==1.20.0 pandas==3.1.1
    python -m tests.data.skl2onnx.make

`expected.json` holds for each model a few inputs and what scikit-learn itself answers to them.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).parent
ROWS = 6  # of each expectation
OPSET = {"": 21, "ai.onnx.ml": 3}
Columns = Mapping[str, np.ndarray[Any, Any]]


@dataclass
class Example:
    """One trained estimator: what it is asked, and how scikit-learn computes each output."""

    estimator: Any
    inputs: Columns
    given: Any  # the same, as scikit-learn takes it
    outputs: Sequence[Callable[[Any], Any]]  # in the order of the graph's
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def classes(self) -> list[Any]:
        """What the columns of probabilities stand for."""
        return list(self.estimator.classes_.tolist())


def examples() -> dict[str, Example]:
    """Every model by its name."""
    from sklearn.cluster import KMeans
    from sklearn.datasets import load_diabetes, load_iris
    from sklearn.ensemble import (
        GradientBoostingClassifier,
        RandomForestClassifier,
        RandomForestRegressor,
    )
    from sklearn.linear_model import LogisticRegression
    from sklearn.svm import SVC

    iris = load_iris()
    x = iris.data.astype(np.float32)
    patients = load_diabetes()
    measured = patients.data.astype(np.float32)
    forest: dict[str, Any] = {"n_estimators": 5, "max_depth": 3, "random_state": 0}

    def of_iris(estimator: Any, method: str, **options: Any) -> Example:
        asked = x[:: len(x) // ROWS][:ROWS]
        estimator.fit(x, iris.target)
        answers = [estimator.predict, getattr(estimator, method)]
        return Example(estimator, {"x": asked}, asked, answers, options)

    regressor = RandomForestRegressor(**forest).fit(measured, patients.target)
    return {
        "logistic_regression": of_iris(LogisticRegression(max_iter=500), "predict_proba"),
        "random_forest_classifier": of_iris(
            RandomForestClassifier(**forest), "predict_proba", zipmap=False
        ),
        "gradient_boosting_classifier": of_iris(
            GradientBoostingClassifier(n_estimators=3, max_depth=2, random_state=0),
            "predict_proba",
            zipmap=False,
        ),
        "svc": of_iris(SVC(C=10.0), "decision_function", zipmap=False),
        "kmeans": of_iris(KMeans(3, n_init=1, random_state=0), "transform"),
        "random_forest_regressor": Example(
            regressor,
            {"x": measured[:ROWS]},
            measured[:ROWS],
            [lambda rows: regressor.predict(rows)[:, None]],
        ),
        "titanic": titanic(),
        "tfidf_vectorizer": tfidf(),
    }


def titanic() -> Example:
    """Passengers with text, numbers and gaps, whose fates are text: a whole pipeline."""
    import pandas
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    rng = np.random.default_rng(0)
    count = 300
    sex = rng.choice(["female", "male"], count)
    port = rng.choice(["C", "Q", "S"], count, p=[0.2, 0.1, 0.7])
    age = rng.gamma(5.0, 6.0, count).astype(np.float32)
    age[rng.random(count) < 0.2] = np.nan
    fare = rng.lognormal(3.0, 1.0, count).astype(np.float32)
    odds = 2.0 * (sex == "female") + 0.02 * fare - 0.02 * np.nan_to_num(age, nan=30.0) - 0.7
    fate = np.where(rng.random(count) < 1.0 / (1.0 + np.exp(-odds)), "survived", "died")

    table = pandas.DataFrame({"age": age, "fare": fare, "sex": sex, "embarked": port})
    numbers = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    words = OneHotEncoder(handle_unknown="ignore")
    columns = ColumnTransformer(
        [("numbers", numbers, ["age", "fare"]), ("words", words, ["sex", "embarked"])]
    )
    estimator = make_pipeline(columns, LogisticRegression()).fit(table, fate)
    asked = table.iloc[:ROWS].copy()
    asked.loc[0, "embarked"], asked.loc[1, "age"] = "elsewhere", np.nan
    inputs = {name: asked[[name]].to_numpy() for name in asked}
    return Example(estimator, inputs, asked, [estimator.predict, estimator.predict_proba])


def tfidf() -> Example:
    """Sentences to weights of words; they stay as they are written, as lowering needs a locale."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    sentences = [
        "the ship left the harbor at noon",
        "a harbor without a ship",
        "noon came and the sea was calm",
        "the calm sea, the calm ship",
        "no word of these is known",
        "",
    ]
    estimator = TfidfVectorizer(lowercase=False, max_features=12).fit(sentences[:4])
    asked = np.array(sentences, dtype=object)
    return Example(
        estimator,
        {"x": asked[:, None]},
        asked,
        [lambda rows: estimator.transform(rows).toarray()],
    )


def main() -> None:
    """Convert every model and write down what is expected of it."""
    from skl2onnx import to_onnx
    from skl2onnx.common.data_types import FloatTensorType, StringTensorType

    expected = {}
    for name, example in examples().items():
        kinds = [
            (x, (StringTensorType if y.dtype == object else FloatTensorType)([None, y.shape[1]]))
            for x, y in example.inputs.items()
        ]
        options = {id(example.estimator): dict(example.options)} if example.options else None
        model = to_onnx(
            example.estimator, initial_types=kinds, options=options, target_opset=OPSET, name=name
        )
        model.opset_import.sort(key=lambda entry: entry.domain)  # theirs is that of a set
        (HERE / f"{name}.onnx").write_bytes(model.SerializeToString())
        answers: dict[str, Any] = {}
        for output, compute in zip(model.graph.output, example.outputs, strict=True):
            rows = np.asarray(compute(example.given)).tolist()
            if output.type.HasField("sequence_type"):  # ZipMap: each row an object by class
                rows = [dict(zip(example.classes, row, strict=True)) for row in rows]
            answers[output.name] = rows
        inputs = {x: y.tolist() for x, y in example.inputs.items()}
        expected[name] = {"inputs": inputs, "outputs": answers}
    (HERE / "expected.json").write_text(json.dumps(expected) + "\n")


if __name__ == "__main__":
    main()
