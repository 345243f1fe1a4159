"""Choosing boxes: what stands between a detector's output and its answer."""

from __future__ import annotations

import numpy as np

from trainer.core.define import Float32, Int64, no_gradient, op


@op("NonMaxSuppression")
def non_max_suppression(
    boxes: Float32,
    scores: Float32,
    max_output_boxes_per_class: Int64 | None = None,
    iou_threshold: Float32 | None = None,
    score_threshold: Float32 | None = None,
    *,
    center_point_box: int = 0,
) -> Int64:
    """The best boxes of each class, without those that overlap a better one.

    Args:
        boxes: `[batch, boxes, 4]`: two opposite corners y, x, y, x.
        scores: `[batch, classes, boxes]`.
        max_output_boxes_per_class: How many at most. Defaults to 0, which is none.
        iou_threshold: Above which intersection over union two boxes are the same. Defaults to 0.
        score_threshold: A box is taken only above this score. Defaults to all.
        center_point_box: Whether the boxes are given as x, y of the center, width and height.
            Defaults to 0.

    Returns:
        `[chosen, 3]`: batch, class and box, the best first within each class.
    """
    most = 0 if max_output_boxes_per_class is None else int(max_output_boxes_per_class.item())
    overlap = 0.0 if iou_threshold is None else iou_threshold.item()
    low, high = _corners(boxes, center_point_box)
    area = np.prod(high - low, -1)
    left = np.array(scores, np.float32)
    if score_threshold is not None:
        left[left <= score_threshold.item()] = -np.inf
    images, classes = np.ogrid[: left.shape[0], : left.shape[1]]
    chosen = []
    for _ in range(min(most, left.shape[2])):  # all classes of all images at once
        best = left.argmax(-1)
        found = left[images, classes, best] > -np.inf
        if not found.any():
            break
        chosen.append(np.where(found, best, -1))
        top, bottom = low[images, best][..., None, :], high[images, best][..., None, :]
        sides = np.minimum(bottom, high[:, None]) - np.maximum(top, low[:, None])
        shared = np.prod(np.maximum(sides, 0), -1)
        union = area[images, best][..., None] + area[:, None] - shared
        left[shared > overlap * union] = -np.inf
        left[images, classes, best] = -np.inf
    ranked = np.stack(chosen, -1) if chosen else np.zeros((*left.shape[:2], 0), np.int64)
    image, label, rank = np.nonzero(ranked >= 0)
    return np.stack([image, label, ranked[image, label, rank]], -1).astype(np.int64)


def _corners(boxes, center_point_box):
    """The lower and the upper corner of each box."""
    if center_point_box:
        center, half = boxes[..., :2], boxes[..., 2:] / 2
        return center - half, center + half
    return np.minimum(boxes[..., :2], boxes[..., 2:]), np.maximum(boxes[..., :2], boxes[..., 2:])


no_gradient("NonMaxSuppression")
