"""The released model's names and sizes, without memory for its tensors."""

import json
from pathlib import Path

import pytest

from makeyourvideo.checkpoints import names
from makeyourvideo.checkpoints.parts import build_autoencoder, build_denoiser, build_text_encoder, shapes
from makeyourvideo.checkpoints.reference_config import ReferenceConfig

KEYS = Path(__file__).parent / "data" / "full_size_keys.json"


@pytest.fixture(scope="module")
def foreign() -> dict[str, list[int]]:
    return json.loads(KEYS.read_text())


def claimed(
    sources: names.Sources, own: dict[str, tuple[int, ...]], foreign: dict[str, list[int]]
) -> set[str]:
    """Names that the sources claim, having the same number of values part for part."""
    for name, source in sources.items():
        theirs = [n for n in foreign[source.name] if n != 1]
        ours = [n for n in (own[name][0] * source.parts, *own[name][1:]) if n != 1]
        assert ours == theirs, name
    claims = [(source.name, source.part) for source in sources.values()]
    assert len(claims) == len(set(claims))
    for source in sources.values():
        assert all((source.name, part) in claims for part in range(source.parts))
    return {source.name for source in sources.values()}


def group(foreign: dict[str, list[int]], prefix: str) -> set[str]:
    return {name for name in foreign if name.startswith(prefix)}


def test_denoiser_maps_one_to_one(foreign: dict[str, list[int]]) -> None:
    network = build_denoiser(ReferenceConfig().unet.network_config())
    own = shapes(network)
    sources = names.denoiser_sources(own, network.config)
    assert claimed(sources, own, foreign) == group(foreign, "model.diffusion_model.")
    assert len(sources) == 1606


def test_autoencoder_maps_one_to_one(foreign: dict[str, list[int]]) -> None:
    network = build_autoencoder(ReferenceConfig().first_stage.network_config())
    own = shapes(network)
    sources = names.autoencoder_sources(own, network.config)
    assert claimed(sources, own, foreign) == group(foreign, "first_stage_model.")


def test_text_encoder_drops_the_unused_layer_and_the_head(foreign: dict[str, list[int]]) -> None:
    network = build_text_encoder(ReferenceConfig().cond_stage.network_config())
    own = shapes(network)
    dropped = group(foreign, "cond_stage_model.") - claimed(names.text_encoder_sources(own), own, foreign)
    last_layer = group(foreign, "cond_stage_model.model.transformer.resblocks.23.")
    assert len(last_layer) == 12
    assert dropped == last_layer | {
        "cond_stage_model.model.text_projection",
        "cond_stage_model.model.logit_scale",
    }


def test_nothing_else_is_in_the_file(foreign: dict[str, list[int]]) -> None:
    known = ("model.diffusion_model.", "first_stage_model.", "cond_stage_model.model.")
    assert all(name.startswith(known) for name in foreign)


def test_sizes_are_the_papers() -> None:
    network = build_denoiser(ReferenceConfig().unet.network_config())
    convolutions = attention = 0
    temporal = {id(parameter) for parameter in network.temporal_parameters()}
    for name, parameter in network.named_parameters():
        if id(parameter) in temporal:
            convolutions += parameter.numel() * (".temporal_convs." in name)
            attention += parameter.numel() * (".temporal_attentions." in name)
    spatial = sum(parameter.numel() for parameter in network.spatial_parameters())
    sizes = [round(count / 1e6, 2) for count in (spatial, convolutions, attention)]
    assert sizes == [865.91, 466.94, 272.99]
    assert sum(p.numel() for p in network.parameters()) == spatial + convolutions + attention
