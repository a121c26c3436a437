"""A trained network over HTTP. Nothing of minidil is needed where it runs; see README.md for what to install and send.

pip install onnxruntime pillow starlette uvicorn
minidil export vgg_small:cifar10 --onnx vgg.onnx
MODEL=vgg.onnx uvicorn --app-dir docs serve_onnx:app
curl --data-binary @cat.png http://127.0.0.1:8000/
"""

import io
import json
import os

import numpy as np
import onnxruntime
from PIL import Image
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

LARGEST = 10_000_000  # bytes of a picture
network = onnxruntime.InferenceSession(os.environ["MODEL"])
facts = network.get_modelmeta().custom_metadata_map
classes, mean, std, (channels, height, width) = (json.loads(facts[key]) for key in ("classes", "mean", "std", "shape"))


def answer(body: bytes) -> dict[str, float]:
    """The probability of every class, the likeliest first."""
    picture = Image.open(io.BytesIO(body)).convert("L" if channels == 1 else "RGB").resize((width, height))
    pixels = np.asarray(picture, np.float32).reshape(height, width, channels) / 255
    x = ((pixels - mean) / std).transpose(2, 0, 1)[None].astype(np.float32)
    logits = network.run(None, {"x": x})[0][0].astype(np.float64)
    share = np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()
    return {classes[i]: round(float(share[i]), 4) for i in np.argsort(-share)}


async def classify(request: Request) -> JSONResponse:
    if int(request.headers.get("content-length", LARGEST + 1)) > LARGEST:
        raise HTTPException(413, f"send a picture of at most {LARGEST:,} bytes, with its length")
    try:
        return JSONResponse(await run_in_threadpool(answer, await request.body()))
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise HTTPException(400, "that is no picture that can be read") from error


app = Starlette(routes=[Route("/", classify, methods=["POST"])])
