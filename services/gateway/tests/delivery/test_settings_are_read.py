"""A setting that nobody reads is a promise that nobody keeps."""

import inspect
from types import ModuleType

import pytest

from clearline.chassis.environment import Settings
from clearline.chassis.settings import ProcessSettings
from gateway import project, serve
from gateway.settings import ProjectSettings, ServeSettings


@pytest.mark.parametrize(("settings", "process"), [(ServeSettings, serve), (ProjectSettings, project)])
def test_every_setting_of_a_process_is_read_by_it(settings: type[Settings], process: ModuleType) -> None:
    own = set(settings.model_fields) - set(ProcessSettings.model_fields)
    source = inspect.getsource(process)
    assert [name for name in sorted(own) if f"settings.{name}" not in source] == []
