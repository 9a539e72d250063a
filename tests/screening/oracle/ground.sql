-- What the ground says of a place, by PostGIS alone: metres of the measuring plane.
--
-- Let sd be the signed distance of a point to the union of the zones, negative inside, and error the accuracy of
-- the subject plus that of the zone. "Surely nearer than reach" is sd + error < reach for some part of the place
-- (a point, a stretch, an area); "perhaps" is sd - error <= reach. A reach of 0 asks for inside.

CREATE SCHEMA oracle;

CREATE TABLE oracle.coverage (layer text PRIMARY KEY, place geometry, rim geometry);

-- The zones a rule is about: counts is true where its filter holds, false where it cannot be decided.
CREATE TABLE oracle.held (
    zones int, uid text, place geometry, outline geometry, accuracy float8, counts boolean
);
CREATE INDEX ON oracle.held (zones);

-- Their union, its boundary by the accuracy of the zones that make it, and the coverage of their layer.
CREATE TABLE oracle.whole (
    zones int PRIMARY KEY, area geometry, rim geometry[], accuracy float8[], boundless boolean,
    cover geometry, cover_rim geometry
);

-- Square metres of the parts of a polygon, metres of those of a line.
CREATE FUNCTION oracle.size(part geometry, site geometry) RETURNS float8 LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE ST_Dimension(site) WHEN 2 THEN ST_Area(part) WHEN 1 THEN ST_Length(part) END
$$;

-- The part of a line or polygon that lies in the area, and from each line of the rim farther than its depth. Each
-- segment is buffered by itself: GEOS 3.11 leaves a hole in the buffer of a ring that is wider than the ring.
CREATE FUNCTION oracle.deep_part(site geometry, area geometry, rim geometry[], depth float8[])
RETURNS geometry LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    part geometry := ST_CollectionExtract(ST_Intersection(site, area), ST_Dimension(site) + 1);
    shallow geometry;
BEGIN
    SELECT ST_Union(ST_Buffer(segment.geom, far, 'quad_segs=256')) INTO shallow
    FROM unnest(rim, depth) AS each (line, far), ST_DumpSegments(line) AS segment
    WHERE far > 0 AND segment.geom && ST_Expand(site, far) AND ST_DWithin(segment.geom, site, far);
    RETURN CASE
        WHEN shallow IS NULL THEN part
        ELSE ST_CollectionExtract(ST_Difference(part, shallow), ST_Dimension(site) + 1)
    END;
END
$$;

-- The part of a polygon that is no farther from a zone than x.
CREATE FUNCTION oracle.near_part(site geometry, zone geometry, x float8) RETURNS geometry
LANGUAGE sql IMMUTABLE AS $$
    SELECT ST_CollectionExtract(ST_Intersection(site, CASE
        WHEN x > 0 THEN ST_Buffer(ST_Intersection(zone, ST_Expand(site, x + 1)), x, 'quad_segs=256')
        ELSE zone
    END), 3)
$$;

-- Whether a place has such a deep part; on the very rim is not in the area.
CREATE FUNCTION oracle.reaches_deep(site geometry, area geometry, rim geometry[], depth float8[])
RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    IF area IS NULL OR ST_Dimension(area) < 2 OR NOT area && site OR NOT ST_Intersects(area, site)
       OR NOT ST_Relate(area, site, 'T********') THEN
        RETURN false;
    END IF;
    IF ST_Dimension(site) = 0 THEN
        RETURN NOT EXISTS (
            SELECT FROM unnest(rim, depth) AS each (line, far)
            WHERE far > 0 AND ST_Distance(line, site) <= far
        );
    END IF;
    IF (SELECT max(far) FROM unnest(depth) AS each (far)) <= 0 THEN
        RETURN true;
    END IF;
    RETURN oracle.size(oracle.deep_part(site, area, rim, depth), site) > 1e-6;
END
$$;

-- Whether a place is surely nearer than reach to one zone by itself.
CREATE FUNCTION oracle.surely_near_one(z oracle.held, site geometry, error float8, reach float8)
RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    spare float8 := reach - error - z.accuracy;
BEGIN
    IF spare IS NULL OR NOT ST_Expand(site, greatest(spare, 0)) && z.place THEN
        RETURN false;
    ELSIF spare > 0 THEN
        RETURN ST_Distance(z.place, site) < spare;
    END IF;
    RETURN oracle.reaches_deep(site, z.place, ARRAY[z.outline], ARRAY[-spare]);
END
$$;

-- Whether a place is surely nearer than reach to the zones: to one of them, or deep in their union, whose seams
-- are no boundary.
CREATE FUNCTION oracle.surely_near(zones int, site geometry, error float8, reach float8) RETURNS boolean
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN EXISTS (
        SELECT FROM oracle.held AS z
        WHERE z.zones = surely_near.zones AND z.counts AND oracle.surely_near_one(z, site, error, reach)
    ) OR EXISTS (
        SELECT FROM oracle.whole AS w
        WHERE w.zones = surely_near.zones
          AND oracle.reaches_deep(site, w.area, w.rim, ARRAY(
                  SELECT error + a - reach FROM unnest(w.accuracy) AS each (a)
              ))
    );
END
$$;

-- Whether a zone is perhaps no farther than reach.
CREATE FUNCTION oracle.perhaps_near_one(z oracle.held, site geometry, error float8, reach float8)
RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
    SELECT ST_Expand(site, greatest(reach + error + z.accuracy, 0)) && z.place
       AND ST_Distance(z.place, site) <= reach + error + z.accuracy
$$;

CREATE FUNCTION oracle.perhaps_near(zones int, counts boolean, site geometry, error float8, reach float8)
RETURNS boolean LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN EXISTS (
        SELECT FROM oracle.held AS z
        WHERE z.zones = perhaps_near.zones AND z.counts = perhaps_near.counts
          AND oracle.perhaps_near_one(z, site, error, reach)
    );
END
$$;

-- Whether a place and all around it as far as reach lie in the coverage of the layer. The coverage has a slack of its
-- own, because a place may be near two limits at once; where the sum is negative it may be so far outside.
CREATE FUNCTION oracle.covered(zones int, site geometry, reach float8) RETURNS boolean
LANGUAGE plpgsql STABLE AS $$
DECLARE
    w oracle.whole;
    x float8 := reach + current_setting('oracle.cover_slack')::float8;
    bare geometry;
BEGIN
    SELECT * INTO w FROM oracle.whole AS o WHERE o.zones = covered.zones;
    IF w.cover IS NULL THEN
        RETURN false;
    ELSIF x < 0 THEN
        bare := ST_Difference(site, w.cover);
        RETURN ST_IsEmpty(bare) OR ST_CoveredBy(
            bare, ST_Buffer(ST_Intersection(w.cover_rim, ST_Expand(bare, 1)), -x)
        );
    ELSIF NOT ST_CoveredBy(site, w.cover) THEN
        RETURN false;
    ELSIF ST_Dimension(site) = 0 THEN
        RETURN ST_Distance(w.cover_rim, site) > x;
    END IF;
    RETURN ST_Distance(w.cover_rim, site) >= x;
END
$$;

-- Whether nothing is left open: no zone without accuracy, and none in reach of which it is not known whether it
-- counts, in a place that is covered.
CREATE FUNCTION oracle.settled(zones int, site geometry, error float8, reach float8) RETURNS boolean
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN NOT (SELECT boundless FROM oracle.whole AS w WHERE w.zones = settled.zones)
       AND oracle.covered(zones, site, error + reach)
       AND NOT oracle.perhaps_near(zones, false, site, error, reach);
END
$$;

-- ---- verdicts

-- Being nearer than reach to a zone is the conflict.
CREATE FUNCTION oracle.near(zones int, site geometry, error float8, reach float8) RETURNS text
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN CASE
        WHEN error IS NULL THEN 'unknown'
        WHEN oracle.surely_near(zones, site, error, reach) THEN 'conflict'
        WHEN NOT oracle.settled(zones, site, error, reach) THEN 'unknown'
        WHEN oracle.perhaps_near(zones, true, site, error, reach) THEN 'edge'
        ELSE 'clear'
    END;
END
$$;

-- Being farther than reach from every zone is the conflict.
CREATE FUNCTION oracle.absent(zones int, site geometry, error float8, reach float8) RETURNS text
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN CASE
        WHEN error IS NULL THEN 'unknown'
        WHEN oracle.surely_near(zones, site, error, reach) THEN 'clear'
        WHEN NOT oracle.settled(zones, site, error, reach) THEN 'unknown'
        WHEN oracle.perhaps_near(zones, true, site, error, reach) THEN 'edge'
        ELSE 'conflict'
    END;
END
$$;

-- Lying in more than n zones is the conflict.
CREATE FUNCTION oracle.in_more_than(zones int, site geometry, error float8, n int) RETURNS text
LANGUAGE plpgsql STABLE AS $$
DECLARE
    sure int;
    possible int;
    undecided int;
BEGIN
    SELECT count(*) FILTER (WHERE z.counts AND oracle.surely_near_one(z, site, error, 0)),
           count(*) FILTER (WHERE z.accuracy IS NULL OR oracle.perhaps_near_one(z, site, error, 0)),
           count(*) FILTER (
               WHERE z.accuracy IS NULL OR NOT z.counts AND oracle.perhaps_near_one(z, site, error, 0)
           )
    INTO sure, possible, undecided
    FROM oracle.held AS z WHERE z.zones = in_more_than.zones;
    RETURN CASE
        WHEN error IS NULL THEN 'unknown'
        WHEN sure > n THEN 'conflict'
        WHEN possible > n AND undecided > 0 OR NOT oracle.covered(zones, site, error) THEN 'unknown'
        WHEN possible > n THEN 'edge'
        ELSE 'clear'
    END;
END
$$;

-- Sizes of a line or polygon: all of it, surely inside, perhaps inside, and where an attribute, an accuracy or the
-- coverage is missing. They are found as areas around the place and measured in it.
CREATE FUNCTION oracle.sizes(
    zones int, site geometry, error float8,
    OUT whole_size float8, OUT sure_size float8, OUT possible_size float8, OUT open_size float8
) LANGUAGE plpgsql STABLE AS $$
DECLARE
    w oracle.whole;
    box geometry := ST_Expand(site, 1);
    nothing geometry := ST_GeomFromText('POLYGON EMPTY', ST_SRID(site));
    held geometry;
    reached geometry;
    undecided geometry;
BEGIN
    SELECT * INTO w FROM oracle.whole AS x WHERE x.zones = sizes.zones;
    SELECT coalesce(ST_Union(part), nothing) INTO held FROM (
        SELECT oracle.deep_part(box, w.area, w.rim, ARRAY(SELECT error + a FROM unnest(w.accuracy) AS each (a)))
        WHERE w.area && site
        UNION ALL
        SELECT oracle.deep_part(box, z.place, ARRAY[z.outline], ARRAY[error + z.accuracy])
        FROM oracle.held AS z
        WHERE z.zones = sizes.zones AND z.counts AND z.accuracy IS NOT NULL AND z.place && site
    ) AS parts (part);
    SELECT coalesce(ST_Union(part) FILTER (WHERE counts), nothing),
           coalesce(ST_Union(part) FILTER (WHERE NOT counts), nothing)
    INTO reached, undecided
    FROM (
        SELECT z.counts, oracle.near_part(box, z.place, error + z.accuracy) FROM oracle.held AS z
        WHERE z.zones = sizes.zones AND oracle.perhaps_near_one(z, site, error, 0)
    ) AS parts (counts, part);
    undecided := CASE
        WHEN w.boundless OR w.cover IS NULL THEN box
        ELSE ST_Union(undecided, ST_CollectionExtract(
            ST_Difference(box, oracle.deep_part(box, w.cover, ARRAY[w.cover_rim], ARRAY[
                error + current_setting('oracle.cover_slack')::float8
            ])), 3
        ))
    END;
    whole_size := oracle.size(site, site);
    sure_size := oracle.size(ST_Intersection(site, held), site);
    possible_size := oracle.size(ST_Intersection(site, ST_Union(ARRAY[held, reached, undecided])), site);
    open_size := oracle.size(ST_Intersection(site, ST_Difference(undecided, held)), site);
END
$$;

-- What counts as nothing: square metres or metres.
CREATE FUNCTION oracle.negligible(site geometry) RETURNS float8 LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE ST_Dimension(site) WHEN 2 THEN 1e-3 ELSE 1e-6 END
$$;

-- Having more than a share of the area, and more than so many m2, inside is the conflict. A line or a point has no
-- area: any part of it counts.
CREATE FUNCTION oracle.share_inside(zones int, site geometry, error float8, share float8, least_m2 float8)
RETURNS text LANGUAGE plpgsql STABLE AS $$
DECLARE
    found record;
    most float8 := greatest(share * ST_Area(site), least_m2);
BEGIN
    IF error IS NULL OR ST_Dimension(site) < 2 THEN
        RETURN oracle.near(zones, site, error, 0);
    END IF;
    found := oracle.sizes(zones, site, error);
    RETURN CASE
        WHEN found.sure_size > most THEN 'conflict'
        WHEN found.possible_size <= most THEN 'clear'
        WHEN found.open_size > oracle.negligible(site) THEN 'unknown'
        ELSE 'edge'
    END;
END
$$;

-- Having more than a share of the area outside is the conflict; of a line or a point, any part.
CREATE FUNCTION oracle.share_outside(zones int, site geometry, error float8, share float8) RETURNS text
LANGUAGE plpgsql STABLE AS $$
DECLARE
    found record;
    most float8 := greatest(share * ST_Area(site), oracle.negligible(site));
BEGIN
    IF error IS NULL OR ST_Dimension(site) = 0 THEN
        RETURN oracle.absent(zones, site, error, 0);
    END IF;
    found := oracle.sizes(zones, site, error);
    RETURN CASE
        WHEN found.whole_size - found.possible_size > most THEN 'conflict'
        WHEN found.whole_size - found.sure_size <= most THEN 'clear'
        WHEN found.open_size > oracle.negligible(site) THEN 'unknown'
        ELSE 'edge'
    END;
END
$$;

-- ---- rivers

-- Lines of the network in the direction of flow, and where they are complete.
CREATE TABLE oracle.river (id int PRIMARY KEY, line geometry, accuracy float8);
CREATE TABLE oracle.river_cover (place geometry, rim geometry);

-- The line a place is on, bank widths (100 m) and errors allowed, how far along, and the error of line and place.
CREATE FUNCTION oracle.on_river(site geometry, error float8, OUT river int, OUT at float8, OUT bound float8)
LANGUAGE sql STABLE AS $$
    SELECT id, ST_LineLocatePoint(line, site) * ST_Length(line), error + accuracy FROM (
        SELECT * FROM oracle.river ORDER BY ST_Distance(line, site) LIMIT 1
    ) AS nearest WHERE ST_Distance(line, site) <= 100 + error + accuracy
$$;

-- The way of the water: from a place to the end of its line, on from where that meets another line, and so on. Each
-- row is a line, where it is entered, and how far it is from the place to there.
CREATE FUNCTION oracle.way_down(first int, start float8, most float8)
RETURNS TABLE (river int, at float8, gone float8) LANGUAGE sql STABLE AS $$
    WITH RECURSIVE way (river, at, gone) AS (
        SELECT first, start, 0::float8
        UNION
        SELECT next.id, ST_LineLocatePoint(next.line, mouth) * ST_Length(next.line), way.gone + rest
        FROM way JOIN oracle.river AS this ON this.id = way.river
        JOIN LATERAL (
            SELECT ST_EndPoint(this.line) AS mouth, ST_Length(this.line) - way.at AS rest
        ) AS m ON way.gone + rest <= most
        JOIN oracle.river AS next ON next.id <> this.id AND ST_DWithin(next.line, mouth, 1)
        WHERE ST_Distance(ST_EndPoint(next.line), mouth) > 1
    )
    SELECT * FROM way
$$;

-- Lying upstream of a zone, not more than reach along the river, is the conflict. What is on no river, or where none
-- are known, is judged by straight distance.
CREATE FUNCTION oracle.upstream(zones int, site geometry, error float8, reach float8) RETURNS text
LANGUAGE plpgsql STABLE AS $$
DECLARE
    far float8 := reach + 200;
    here record;
    worst int;
    is_near boolean := oracle.perhaps_near(zones, true, site, error, far);
BEGIN
    SELECT * INTO here FROM oracle.on_river(site, error);
    IF error IS NULL OR ST_Dimension(site) > 0 OR (here.river IS NULL AND is_near) OR NOT EXISTS (
        SELECT FROM oracle.river_cover AS c
        WHERE ST_CoveredBy(site, c.place) AND ST_Distance(site, c.rim) > error + far
    ) THEN
        RETURN oracle.near(zones, site, error, reach);
    END IF;
    SELECT max(CASE
        WHEN there.river IS NULL THEN CASE
            WHEN straight + error + z.accuracy < reach THEN 3
            WHEN straight - error - z.accuracy > reach THEN 0
            ELSE 1
        END
        WHEN along + doubt < reach AND along - doubt > 0 THEN 3
        WHEN along - doubt <= reach AND along + doubt >= 0 THEN 1
        WHEN lost <= reach + error + z.accuracy THEN 2
        ELSE 0
    END) INTO worst
    FROM oracle.held AS z
    CROSS JOIN LATERAL (SELECT ST_Distance(z.place, site) AS straight) AS d
    CROSS JOIN LATERAL oracle.on_river(z.place, z.accuracy) AS there
    CROSS JOIN LATERAL (SELECT here.bound + there.bound AS doubt) AS b
    CROSS JOIN LATERAL (
        SELECT min(w.gone + there.at - w.at) FILTER (
                   WHERE w.river = there.river AND there.at >= w.at - b.doubt
               ) AS along,
               min(w.gone + ST_Length(r.line) - w.at + ST_Distance(ST_EndPoint(r.line), z.place)) FILTER (
                   WHERE NOT EXISTS (
                       SELECT FROM oracle.river AS n
                       WHERE n.id <> r.id AND ST_DWithin(n.line, ST_EndPoint(r.line), 1)
                   )
               ) AS lost
        FROM oracle.way_down(here.river, here.at, reach + b.doubt) AS w
        JOIN oracle.river AS r ON r.id = w.river
    ) AS way
    WHERE z.zones = upstream.zones AND oracle.perhaps_near_one(z, site, error, far);
    RETURN CASE
        WHEN worst = 3 THEN 'conflict'
        WHEN worst = 2 OR NOT oracle.covered(zones, site, error + far) THEN 'unknown'
        WHEN worst = 1 THEN 'edge'
        ELSE 'clear'
    END;
END
$$;
