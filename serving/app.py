"""The HTTP side: routes, docs, and what an error looks like."""

from typing import Any

import anyio.to_thread
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response

import ranker
from ranker.fusion import Plan
from serving.messages import Problems, Ranking, RequestError
from serving.rank import Ranker
from serving.settings import Settings

EXAMPLE_CANDIDATES = 3


def create_app(settings: Settings | None = None) -> FastAPI:
    """Load the artifact that the settings (by default the environment's) name, and return the application."""
    settings = settings or Settings.from_environment()
    service = Ranker.load(settings)
    limiter = anyio.CapacityLimiter(settings.concurrency)

    app = FastAPI(
        title="ranker",
        version=ranker.__version__,
        description="Ranks the candidates of one request for several objectives at once.",
    )

    @app.exception_handler(RequestError)
    async def refuse(_: Request, error: RequestError) -> JSONResponse:
        return JSONResponse({"detail": error.problems}, status_code=422)

    @app.post(
        "/rank",
        response_model=Ranking,
        responses={422: {"model": Problems, "description": "What is wrong with the request, field by field."}},
        openapi_extra={"requestBody": _documented(service)},
    )
    async def rank(request: Request) -> Response:
        """Score every candidate on every objective, fuse, and return the candidates in order, best first."""
        body = await request.body()
        answer = await anyio.to_thread.run_sync(service.answer, body, limiter=limiter)
        return Response(answer, media_type="application/json")

    @app.get("/health/live")
    async def live() -> dict[str, str]:
        """The process answers."""
        return {"status": "live"}

    @app.get("/health/ready")
    async def ready() -> dict[str, Any]:
        """A model is loaded, and has reproduced its golden requests."""
        return {"status": "ready", "model_version": service.artifact.manifest.version}

    @app.get("/model")
    async def model() -> dict[str, Any]:
        """What is served: version, tasks, schema, validation metrics, fusions and their parameters' bounds."""
        manifest = service.artifact.manifest
        return {
            "version": manifest.version,
            "created": manifest.created.isoformat(),
            "tasks": list(manifest.tasks),
            "schema": manifest.log_schema.model_dump(mode="json"),
            "metrics": manifest.metrics,
            "fusions": {name: _described(plan) for name, plan in service.choices().items()},
            "packages": manifest.packages,
        }

    _show_example(app, example(service))
    return app


def _show_example(app: FastAPI, request: dict[str, Any]) -> None:
    """Put the example into the document as it is: FastAPI would drop its nulls, which stand for missing values."""
    document = app.openapi()
    document["paths"]["/rank"]["post"]["requestBody"]["content"]["application/json"]["example"] = request


def example(service: Ranker) -> dict[str, Any]:
    """A request that works as it stands: the artifact's own golden one, cut short."""
    golden = service.artifact.golden[0]
    candidates = {name: values[:EXAMPLE_CANDIDATES] for name, values in golden.candidates.items()}
    return {**({"context": golden.context} if golden.context else {}), "candidates": candidates}


def _documented(service: Ranker) -> dict[str, Any]:
    schema = service.parser.model.model_json_schema(ref_template="#/components/schemas/{model}")
    inlined = _inlined(schema, schema.pop("$defs", {}))
    return {"required": True, "content": {"application/json": {"schema": inlined}}}


def _inlined(node: Any, definitions: dict[str, Any]) -> Any:
    """Replace references by what they refer to: the request's models are in no other part of the document."""
    if isinstance(node, dict):
        if "$ref" in node:
            return _inlined(definitions[node["$ref"].rsplit("/", 1)[-1]], definitions)
        return {key: _inlined(value, definitions) for key, value in node.items()}
    return [_inlined(item, definitions) for item in node] if isinstance(node, list) else node


def _described(plan: Plan) -> dict[str, Any]:
    """A fusion's formula, its parameters with values and bounds, and the steps around it."""
    values = plan.fusion.values
    return {
        "formula": plan.fusion.name,
        "parameters": {
            parameter.name: {
                "value": values[parameter.name],
                "low": parameter.low,
                "high": parameter.high,
                "integer": parameter.integer,
                "per_objective": parameter.per_objective,
                "description": parameter.description,
            }
            for parameter in plan.fusion.formula.parameters
        },
        "options": plan.options.options,
        "calibration": plan.options.calibration,
        "normalisation": plan.options.normalisation,
        "rules": {name: rule.model_dump(mode="json") for name, rule in plan.options.rules.items()},
    }
