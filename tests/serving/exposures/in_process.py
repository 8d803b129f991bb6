"""Requests that are ranked and logged without HTTP."""

import json

from ranker.engines import OnnxRuntime
from serving.exposures.log import ExposureLog
from serving.protocol.formats import READERS, Exchange
from serving.ranking.ranker import Ranker
from serving.ranking.request_trace import RequestTrace
from serving.ranking.route import Route
from serving.settings import Settings
from tests.serving.asking import answered
from tests.serving.exposures.logs import logged

COLUMNS = Exchange()


class Logging:
    """A model, and the log of its requests."""

    def __init__(self, ranker, directory, **settings):
        given = {f"exposures_{name}": value for name, value in settings.items()}
        self.ranker, self.directory = ranker, directory
        self.log = ExposureLog.of(Settings(artifact="a", exposures=str(directory), **given))
        self.log.check({"default": ranker})

    def ask(self, body, request_id="r", *, split=None, headers=None, exchange=COLUMNS, experiment=None, content=None):
        """The answer's bytes."""
        trace = RequestTrace(request_id=request_id)
        trace.route = Route("default", self.ranker, experiment=experiment)
        content = json.dumps(body).encode() if content is None else content
        opened = READERS[exchange.reads]().open(content, self.ranker.checker.bounds)
        self.log.begin(trace, self.ranker, split, opened.content, headers or {})
        answer = answered(self.ranker, content, trace, exchange)
        self.log.add(trace)
        return answer

    def rows(self):
        """All logged rows by request id, once the log has ended."""
        self.log.writer.start()
        self.log.writer.close()
        return logged(self.directory)


def ranker_of(artifact, **more):
    return Ranker(artifact, OnnxRuntime(artifact.model_path), max_candidates=1000, **more)
