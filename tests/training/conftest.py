import pytest
import torch
import yaml

OPTIMIZER = {"learning_rate": 1e-3, "warmup_steps": 2, "ema_decay": 0.9}
DATA = {
    "stills": {"count": 6, "num_frames": 1, "first_seed": 0, "world": {"size": 32}},
    "clips": {"count": 3, "num_frames": 6, "first_seed": 10, "world": {"size": 32, "num_frames": 6}},
}
SCHEDULER = {"beta_schedule": "scaled_linear", "beta_end": 0.02, "prediction_type": "v_prediction"}
CONFIGS = {
    "autoencoder": {
        "vae": {
            "in_channels": 48,
            "out_channels": 48,
            "down_block_types": ["DownEncoderBlock2D", "DownEncoderBlock2D"],
            "up_block_types": ["UpDecoderBlock2D", "UpDecoderBlock2D"],
            "block_out_channels": [32, 32],
            "latent_channels": 4,
            "mid_block_add_attention": False,
        },
    },
    "image": {
        "unet": {
            "in_channels": 68,
            "out_channels": 4,
            "depth_patch_size": 8,
            "depth_normalization": "clip",
            "block_out_channels": [32, 32],
            "layers_per_block": 1,
            "attention_levels": [True, True],
            "attention_head_dim": 16,
            "cross_attention_dim": 32,
        },
        "text_encoder": {
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "max_position_embeddings": 40,
        },
        "scheduler": SCHEDULER,
        "vocabulary_size": 600,
    },
    "video": {"scheduler": SCHEDULER, "window": 4},
    "decoder": {},
    "refiner": {"refiner": {"channels": 8, "num_blocks": 1}, "timesteps": [100, 500]},
    "sketcher": {"sketcher": {"channels": 16}},
    "covering": {},
    "shading": {},
    "sun": {"words": ["lit", "from", "left", "backlit", "above"]},
    "camera": {"camera": {"channels": 16, "frame_channels": 24}, "window": 4},
    "depth": {"imagenet": False},
    "judges": {"objects": {"dropout": 0.1}},
}


@pytest.fixture(scope="session")
def write_config(tmp_path_factory):
    """Write a tiny config of a stage and return its path."""

    def write(stage, **changes):
        data = {"clips": DATA["clips"]} if stage in ("video", "camera") else DATA
        common = {"stage": stage, "steps": 8, "batch_size": 2, "optimizer": OPTIMIZER, "data": data}
        path = tmp_path_factory.mktemp("config") / f"{stage}.yaml"
        path.write_text(yaml.safe_dump({**common, **CONFIGS[stage], **changes}))
        return path

    return write


@pytest.fixture(scope="session")
def trained(tmp_path_factory, write_config):
    """Every stage trained for a few steps: folder of runs, one a stage, and the data beside them."""
    from makeyourvideo.training.run import run_stage

    home = tmp_path_factory.mktemp("runs")
    model = None
    for stage in (
        "autoencoder",
        "image",
        "video",
        "decoder",
        "refiner",
        "camera",
        "sketcher",
        "covering",
        "shading",
        "sun",
    ):
        for _ in run_stage(stage, write_config(stage), home / stage, home / "data", model):
            pass
        model = home / stage / "model"
    for stage in ("depth", "judges"):
        for _ in run_stage(stage, write_config(stage), home / stage, home / "data"):
            pass
    return home


@pytest.fixture
def assert_learns():
    """Ask that a stage's loss of one batch halves in a few steps."""

    def check(stage):
        trained = [one for one in stage.modules.parameters() if one.requires_grad]
        optimizer = torch.optim.Adam(trained, lr=1e-2)
        losses = []
        for _ in range(30):
            loss = stage.loss(0)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        assert losses[-1] < 0.5 * losses[0]

    return check
