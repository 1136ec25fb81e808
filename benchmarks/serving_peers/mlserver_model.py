"""The export as a runtime of MLServer, protocol V2, with its adaptive batching."""

from typing import Any

from loaded import Loaded
from mlserver import MLModel
from mlserver.codecs import Base64Codec, NumpyCodec, StringCodec
from mlserver.types import InferenceRequest, InferenceResponse


class Classifier(MLModel):
    async def load(self) -> bool:
        self.loaded = Loaded()
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        (given,) = payload.inputs
        if given.datatype == "BYTES":
            answers = self.loaded.files(Base64Codec.decode_input(given))
        else:
            answers = self.loaded.arrays(NumpyCodec.decode_input(given))
        outputs = [self._output(name, of) for name, of in answers.items()]
        return InferenceResponse(model_name=self.name, outputs=outputs)

    def _output(self, name: str, values: Any) -> Any:
        if name != "classes":
            return NumpyCodec.encode_output(name, values)
        output = StringCodec.encode_output(name, values.ravel().tolist(), use_bytes=False)
        output.shape = list(values.shape)
        return output
