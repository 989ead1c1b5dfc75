"""Every environment variable of InfraAudit, with its unit and default. Nothing else reads the environment."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from infraaudit_domain.errors import ConfigurationError
from infraaudit_domain.judging.roles import Role
from resources.machine.state_folder import StateFolder

_HERE = Path(__file__).resolve().parent


def _not_blank(secret: SecretStr) -> SecretStr:
    if not secret.get_secret_value().strip():
        raise ValueError("is empty; an empty secret keeps nobody out")
    return secret


Secret = Annotated[SecretStr, AfterValidator(_not_blank)]


class NamedTokens(BaseModel):
    """The tokens of a person or program, and what they may. A list alone is that of a deployer, as before there were roles."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tokens: list[Secret] = Field(min_length=1)
    role: Role = Role.DEPLOYER

    @model_validator(mode="before")
    @classmethod
    def _from_list(cls, given: object) -> object:
        return {"tokens": given} if isinstance(given, list) else given


@dataclass(frozen=True, slots=True)
class Judges:
    """The files by which commits are judged, and their findings explained."""

    configs: Path
    severities: Path
    remedies: Path
    """Where to read about each check."""

    @property
    def gate(self) -> Path:
        return self.configs / "gate.yaml"

    @property
    def checks(self) -> Path:
        """What the site itself says of checks: their severity, and how they are fixed. It need not be there."""
        return self.configs / "checks.yaml"


class Settings(BaseSettings):
    """Settings of this installation; each is the environment variable INFRAAUDIT_<NAME>."""

    model_config = SettingsConfigDict(env_prefix="INFRAAUDIT_", env_ignore_empty=True, frozen=True)

    home: Path = Field(Path(".infraaudit"), description="folder of all state")
    projects: Path = Field(Path("configs/projects.yaml"), description="file that lists the projects")
    configs: Path | None = Field(None, description="folder of gate.yaml and the other shipped configuration")
    reports: Path = Field(Path("reports"), description="folder of latest_scan.json")
    database_url: str | None = Field(None, description="SQLAlchemy URL of the history; SQLite under home by default")
    engine: Literal["auto", "docker", "podman", "none"] = Field("auto", description="container engine")
    base_image: str | None = Field(None, description="BASE_IMAGE build argument of every build that declares it")
    build_isolation: Literal["box", "none"] = Field(
        "box", description="where projects build that do not say it: in a box, or on the engine itself"
    )
    target: Literal["auto", "kubernetes", "container", "none"] = Field("auto", description="where to deploy to")
    kubeconfig: Path | None = Field(None, description="kubeconfig file; KUBECONFIG or ~/.kube/config by default")
    build_seconds: float = Field(1800, gt=0, description="time limit of an image build, in seconds")
    test_seconds: float = Field(900, gt=0, description="time limit of a test run, in seconds")
    rollout_seconds: float = Field(300, gt=0, description="time limit of a rollout, in seconds")
    poll_seconds: int = Field(30, ge=1, description="shortest time between two looks of the Git sensor, in seconds")
    watch_minutes: int = Field(
        5, ge=1, le=59, description="shortest time between two looks at logs, health and drift, in minutes"
    )
    prune_days: int = Field(
        365, ge=0, description="age from which the service prunes a commit's details, once a day, in days; 0 for never"
    )
    prune_keep: int = Field(200, ge=1, description="newest commits of each project that are never pruned")
    warm_minutes: float = Field(
        10,
        ge=0,
        le=1440,
        description="how long the processes that runs are forked from, and that hold Checkov, are kept unused; 0 for none",
    )
    dagster_home: Path | None = Field(None, description="home of a Dagster instance of your own; under home by default")
    dagster_url: str = Field("http://127.0.0.1:3000", description="the Dagster UI, for launches")
    dagster_public_url: str | None = Field(None, description="address of the Dagster UI as people reach it, for links")
    service_host: str = Field("127.0.0.1", description="address the service listens on")
    service_port: int = Field(3001, ge=1, le=65535, description="port the service listens on")
    public_url: str | None = Field(None, description="address of the service as people reach it, for links in notices")
    webhook_secrets: dict[str, list[Secret]] = Field(
        default_factory=dict, description="JSON: project to its webhook secrets; two while one is being replaced"
    )
    forge_tokens: dict[str, Secret] = Field(
        default_factory=dict,
        description="JSON: project to the token by which its forge is shown statuses; forge.token_file goes before it",
    )
    service_tokens: list[Secret] = Field(
        default_factory=list, description="JSON list: tokens that may read the service; none leaves it open"
    )
    service_write_tokens: list[Secret] = Field(
        default_factory=list,
        description="JSON list: tokens that may also send pushes without a signature, and have findings narrowed",
    )
    service_named_tokens: dict[str, NamedTokens] = Field(
        default_factory=dict,
        description='JSON: name of a person or program to {"role": …, "tokens": […]}; the role is reader, triager, '
        "deployer or admin, and a list of tokens alone is a deployer; what is done is recorded under the name",
    )
    prometheus_url: str | None = Field(None, description="a Prometheus to reload and ask")
    grafana_url: str | None = Field(None, description="a Grafana to provision")
    grafana_token: SecretStr | None = Field(None, description="service account token for that Grafana")
    log_days: int = Field(30, ge=1, description="how long lines of deployed containers are kept, in days")
    log_megabytes: int = Field(512, ge=1, description="how much of them is kept for an environment, in megabytes")
    loki_url: SecretStr | None = Field(None, description="a Loki that gets those lines too")
    loki_tenant: str | None = Field(None, description="X-Scope-OrgID for that Loki")
    notify: list[SecretStr] = Field(default_factory=list, description="apprise or webhook URLs, as a JSON list")

    @property
    def dagster_link(self) -> str:
        """Where people reach the Dagster UI, for links."""
        return self.dagster_public_url or self.dagster_url

    @property
    def service_url(self) -> str:
        """Where people reach the service, for links."""
        return self.public_url or f"http://{self.service_host}:{self.service_port}"

    @property
    def state(self) -> StateFolder:
        return StateFolder(self.home.resolve())

    @property
    def history_url(self) -> str:
        return self.database_url or f"sqlite:///{self.state.history}"

    @property
    def shipped(self) -> Path:
        """The configs folder: the configured one, the working directory's, or what came with the program."""
        return self.configs.resolve() if self.configs else _with_us("configs", "gate.yaml")

    @property
    def judges(self) -> Judges:
        """The tables are those of the working directory, or what came with the program."""
        return _judges(self.shipped, _with_us)

    @property
    def gate_file(self) -> Path:
        return self.judges.gate

    @property
    def severities(self) -> Path:
        return self.judges.severities

    @property
    def remedies(self) -> Path:
        return self.judges.remedies

    @property
    def checks_file(self) -> Path:
        return self.judges.checks


def _judges(configs: Path, folder_with: Callable[[str, str], Path]) -> Judges:
    severities, remedies = (folder_with("scanner", name) / name for name in ("severities.csv", "remedies.csv"))
    return Judges(configs, severities, remedies)


def _with_us(folder: str, file: str) -> Path:
    """A folder of the project: where we work, in our checkout, or in the installed package. ``file`` shows that it is
    ours, because a repository that somebody works in has a folder of that name, too."""
    return next((found.resolve() for found in _places(folder) if (found / file).is_file()), Path(folder))


def judges_of(tree: Path) -> Judges:
    """The configured files, or the first that are not part of the tree: a change cannot bring its own judge.

    In the program's own checkout its files are the only ones; who changes it there changes the judge anyway.
    """

    def outside(folder: str, file: str) -> Path:
        found = [place.resolve() for place in _places(folder) if (place / file).is_file()]
        return next((place for place in found if not place.is_relative_to(tree)), _with_us(folder, file))

    given = settings().configs
    return _judges(given.resolve() if given else outside("configs", "gate.yaml"), outside)


def _places(folder: str) -> tuple[Path, ...]:
    return Path(folder), _HERE.parent / folder, _HERE / "data" / folder


def candidates() -> list[Path]:
    """Every place where the files may lie that decide which folders are ours: one that appears changes the settings."""
    files = (("configs", "gate.yaml"), ("scanner", "severities.csv"))
    return [place / file for folder, file in files for place in _places(folder)]


def examples() -> Path:
    """The folder of the sample application and its history."""
    return _with_us("examples", "make_history.py")


def set_up_scripts() -> Path:
    """The folder of the scripts that give a machine its outside parts."""
    return _with_us("docker", "install-parts.sh")


@lru_cache(maxsize=1)
def settings() -> Settings:
    """The settings of this process, read once. Raises ConfigurationError that lists every fault."""
    try:
        return Settings()
    except ValidationError as error:
        faults = [f"  INFRAAUDIT_{'_'.join(map(str, f['loc'])).upper()}: {f['msg']}" for f in error.errors()]
        raise ConfigurationError("Invalid settings:\n" + "\n".join(faults)) from error
