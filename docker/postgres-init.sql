-- Dagster's tables and the history each have a database: both keep a table named alembic_version.
CREATE DATABASE infraaudit OWNER infraaudit;
