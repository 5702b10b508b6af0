"""Ensemble config: defaults of paper 5, validation, JSON round trip."""

import json

import pytest

from poster_cnn.multimodal.config import EnsembleConfig
from poster_cnn.training.config import from_json

GENRES = ("Horror", "Romance")


def test_defaults_are_those_of_the_paper():
    config = EnsembleConfig(GENRES)
    assert (config.backbone, config.image_size, config.max_words) == ("vgg16", (224, 224), 3000)
    assert (config.batch_size, config.learning_rate, config.weighted) == (64, 1e-3, True)
    assert (config.fusion_rows, config.hidden_share, config.end_to_end, config.dropout) == ("train", 0, False, {})


def test_modalities_are_sorted():
    assert EnsembleConfig(GENRES, modalities=("plot", "poster")).modalities == ("poster", "plot")


def test_config_is_restored_from_json():
    config = EnsembleConfig(GENRES, modalities=["plot", "trailer"], dropout={"plot": 0.5}, backbone_weights=None)
    assert from_json(EnsembleConfig, json.loads(json.dumps(config.to_dict()))) == config
    with pytest.raises(ValueError, match="Unknown configuration: ratio"):
        from_json(EnsembleConfig, config.to_dict() | {"ratio": 40})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"class_names": ("Horror", "Horror")}, "`class_names` must be at least 2 different genres"),
        ({"modalities": ()}, "`modalities` must be different ones of poster, trailer"),
        ({"modalities": ("plot", "plot")}, "`modalities` must be different"),
        ({"modalities": ("sound",)}, r"Received: modalities=\('sound',\)"),
        ({"model": "trailer"}, "`model` must be one of"),
        ({"split": "random"}, "`split` must be 'leak_free' or 'given'"),
        ({"backbone": "resnet34"}, "`backbone` must be one of"),
        ({"fractions": (0.8, 0.2)}, "`fractions` must be shares"),
        ({"image_size": (224,)}, "`image_size` must be"),
        ({"patience": 0}, "`patience` must be 1 or more. Received: patience=0"),
        ({"learning_rate": 0}, "`learning_rate` must be"),
        ({"dropout": {"trailer": 0.5}}, "`dropout` must be a fraction, 0 … 1, for some of poster, metadata, plot"),
        ({"dropout": {"plot": 1}}, "`dropout` must be"),
        ({"fusion_rows": "test"}, "`fusion_rows` must be one of"),
        ({"hidden_share": 1}, "`hidden_share` must be a share"),
        ({"fusion": "votes"}, "`fusion` must be 'logits' or 'probabilities'"),
        (
            {"fusion": "probabilities", "fusion_rows": "none"},
            "`fusion_rows` must be 'train' or 'validation' with fusion=",
        ),
        ({"hidden_share": 0.3, "fusion_rows": "none"}, "`hidden_share` must be 0 with"),
        ({"end_to_end": True, "fusion_rows": "validation"}, "`fusion_rows` must be 'train' with"),
    ],
)
def test_rejects_invalid_configs(changes, message):
    with pytest.raises(ValueError, match=message):
        EnsembleConfig(GENRES).replace(**changes)
