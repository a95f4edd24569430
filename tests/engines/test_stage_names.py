"""One list of stages: the estimate, the plan and the run have all of them."""

import inspect

from sonic_nodes.engines.sonic import SonicEngine, progress_costs
from sonic_nodes.engines.stages import Stages
from sonic_nodes.memory import estimate
from sonic_nodes.memory.stage import Stage
from sonic_nodes.weights.models import Models
from tests.oracles.engine_runs import FAST, clip_data


def test_every_stage_has_an_estimate_and_a_method():
    methods = {name for name, _ in inspect.getmembers(Stages, inspect.isfunction) if not name.startswith("_")}
    assert methods == {stage.method for stage in Stage} | {"release", "free_memory"}
    assert all(callable(getattr(estimate, stage.method)) for stage in Stage)
    assert list(estimate.NETWORKS_OF) and set(estimate.NETWORKS_OF) == set(Stage)


def test_progress_costs_are_those_of_the_plan(small_models):
    plan = SonicEngine(Models.in_folder(small_models)).plan(clip_data(0.6), FAST)
    assert [found.stage for found in plan.stages] == list(Stage)
    costs = progress_costs(plan, False, False)
    assert list(costs) == list(Stage)[:5]
    assert all(abs(cost - plan.stage(stage).flops / 1e6) <= 0.5 for stage, cost in costs.items())
    assert costs[Stage.SAMPLING] > 10 and costs[Stage.SOUND] > 0
    cached = progress_costs(plan, True, True)
    assert [cached[stage] for stage in list(Stage)[:3]] == [0, 0, 0]
    assert cached[Stage.SAMPLING] == costs[Stage.SAMPLING]
