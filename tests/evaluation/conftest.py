import pytest
import torch


@pytest.fixture(scope="session")
def experts():
    """Experts with random weights: what they say is arbitrary, but always the same."""
    from efficientnet_lite_pytorch import EfficientNet

    from makeyourvideo.evaluation.experts import Experts
    from makeyourvideo.models.depth_estimator import DepthEstimator
    from makeyourvideo.models.judge import Judge
    from makeyourvideo.training.judges import QUESTIONS

    torch.manual_seed(0)
    return Experts(
        Judge(QUESTIONS["objects"], in_channels=4).eval(),
        Judge(QUESTIONS["scenes"]).eval(),
        DepthEstimator().eval(),
        EfficientNet.from_name("efficientnet-lite0").eval(),
    )
