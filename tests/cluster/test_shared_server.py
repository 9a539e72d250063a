"""The run's own server, as the fixtures hand it out."""

from __future__ import annotations

from sqlalchemy import Engine, text

from gis.cluster import Cluster


def test_a_fresh_database_has_postgis_and_no_tables_of_its_own(database: Engine) -> None:
    with database.connect() as connection:
        area = connection.execute(text("SELECT ST_Area('POLYGON((0 0,2 0,2 1,0 0))'::geometry)")).scalar_one()
        tables = connection.execute(
            text(
                "SELECT count(*) FROM pg_tables"
                " WHERE schemaname = 'public' AND tablename <> 'spatial_ref_sys'"
            )
        ).scalar_one()
    assert (area, tables) == (1.0, 0)


def test_the_server_listens_on_no_network_address(cluster: Cluster, database: Engine) -> None:
    with database.connect() as connection:
        assert connection.execute(text("SHOW listen_addresses")).scalar_one() == ""
        assert connection.execute(text("SELECT inet_server_addr()")).scalar_one() is None
    assert (cluster.layout.socket.stat().st_mode & 0o777) == 0o700
