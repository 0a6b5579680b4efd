"""A model with tiny random networks, in every other way like a real one, and depth to try it on."""

import numpy as np
import torch
from diffusers import AutoencoderKL, DDIMScheduler
from numpy.typing import NDArray
from transformers import CLIPTextConfig, CLIPTextModel

from makeyourvideo.models import VideoUNet
from makeyourvideo.models.camera import CameraEstimator
from makeyourvideo.models.refiner import Refiner
from makeyourvideo.models.sketcher import Sketcher
from makeyourvideo.pipeline import MakeYourVideoPipeline
from makeyourvideo.training.tokenizer import train_tokenizer

CAPTION = "a red ball rolls over a plain gray floor under a clear blue sky"


def tiny_pipeline() -> MakeYourVideoPipeline:
    """8 pixels a latent and two levels, so that sizes are padded to multiples of 16."""
    torch.manual_seed(0)
    vae = AutoencoderKL(
        in_channels=48,
        out_channels=48,
        block_out_channels=(32, 32),
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        layers_per_block=1,
        latent_channels=4,
        scaling_factor=0.5,
    )
    tokenizer = train_tokenizer([CAPTION], vocabulary_size=540, max_length=12)
    text = CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=12,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
        bos_token_id=tokenizer.bos_token_id,
    )
    unet = VideoUNet(
        in_channels=4 + 4,
        out_channels=4,
        block_out_channels=(32, 64),
        layers_per_block=1,
        attention_levels=(False, True),
        attention_head_dim=32,
        cross_attention_dim=32,
        depth_normalization="clip",
        depth_patch_size=2,
    )
    refiner = Refiner(channels=8, num_blocks=1)
    with torch.no_grad():
        for parameter in (*unet.parameters(), *refiner.parameters()):
            if not parameter.any():  # zero-initialised layers would hide whatever feeds them
                parameter.normal_(std=0.1)
    scheduler = DDIMScheduler(
        beta_schedule="scaled_linear",
        beta_start=0.00085,
        beta_end=0.012,
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
        prediction_type="v_prediction",
    )
    return MakeYourVideoPipeline(
        unet.eval(),
        vae.eval(),
        CLIPTextModel(text).eval(),
        tokenizer,
        scheduler,
        refiner=refiner.eval(),
        sketcher=Sketcher(channels=16, context_channels=32).eval(),
        camera=CameraEstimator(channels=16, frame_channels=24).eval(),
        num_inference_steps=3,
        guidance_scale=2.0,
        num_frames=4,
        height=32,
        width=32,
        fps=6.0,
    )


def moving_disc(num_frames: int, height: int, width: int) -> NDArray[np.float32]:
    """Inverse depth of a near disc that crosses a far, slanted ground."""
    rows, columns = np.mgrid[:height, :width]
    ground = 0.2 + 0.2 * rows / height
    centres = np.linspace(0.25, 0.75, num_frames) * width
    discs = [(rows - height / 2) ** 2 + (columns - x) ** 2 < (min(height, width) / 5) ** 2 for x in centres]
    return np.stack([np.where(disc, 0.9, ground) for disc in discs]).astype(np.float32)
