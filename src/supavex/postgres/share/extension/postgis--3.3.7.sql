-- The types keep the text that was written, and take any type modifiers. The functions raise. They are volatile, so that
-- PostgreSQL refuses a generated column that calls one. Such a column would refuse every row.

CREATE TYPE geometry;
CREATE FUNCTION geometry_in(cstring) RETURNS geometry LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS 'textin';
CREATE FUNCTION geometry_out(geometry) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS 'textout';
CREATE FUNCTION geometry_recv(internal) RETURNS geometry LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS 'textrecv';
CREATE FUNCTION geometry_send(geometry) RETURNS bytea LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS 'textsend';

-- The modifiers, such as (Point, 4326), are counted and not kept.
CREATE FUNCTION geometry_typmod_in(cstring[]) RETURNS int4 LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS
  'array_cardinality';
CREATE FUNCTION geometry_typmod_out(int4) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS 'void_out';

CREATE TYPE geometry (INPUT = geometry_in, OUTPUT = geometry_out, RECEIVE = geometry_recv, SEND = geometry_send, TYPMOD_IN = geometry_typmod_in,
  TYPMOD_OUT = geometry_typmod_out, LIKE = pg_catalog.text);
CREATE CAST (pg_catalog.text AS geometry) WITHOUT FUNCTION AS ASSIGNMENT;
CREATE CAST (geometry AS pg_catalog.text) WITHOUT FUNCTION AS ASSIGNMENT;

CREATE TYPE geography;
CREATE FUNCTION geography_in(cstring) RETURNS geography LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS 'textin';
CREATE FUNCTION geography_out(geography) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS 'textout';
CREATE FUNCTION geography_recv(internal) RETURNS geography LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS 'textrecv';
CREATE FUNCTION geography_send(geography) RETURNS bytea LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS 'textsend';

-- The modifiers, such as (Point, 4326), are counted and not kept.
CREATE FUNCTION geography_typmod_in(cstring[]) RETURNS int4 LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS
  'array_cardinality';
CREATE FUNCTION geography_typmod_out(int4) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS 'void_out';

CREATE TYPE geography (INPUT = geography_in, OUTPUT = geography_out, RECEIVE = geography_recv, SEND = geography_send, TYPMOD_IN = geography_typmod_in,
  TYPMOD_OUT = geography_typmod_out, LIKE = pg_catalog.text);
CREATE CAST (pg_catalog.text AS geography) WITHOUT FUNCTION AS ASSIGNMENT;
CREATE CAST (geography AS pg_catalog.text) WITHOUT FUNCTION AS ASSIGNMENT;

CREATE TYPE box2d;
CREATE FUNCTION box2d_in(cstring) RETURNS box2d LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS 'textin';
CREATE FUNCTION box2d_out(box2d) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS 'textout';
CREATE FUNCTION box2d_recv(internal) RETURNS box2d LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS 'textrecv';
CREATE FUNCTION box2d_send(box2d) RETURNS bytea LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS 'textsend';

CREATE TYPE box2d (INPUT = box2d_in, OUTPUT = box2d_out, RECEIVE = box2d_recv, SEND = box2d_send, LIKE = pg_catalog.text);
CREATE CAST (pg_catalog.text AS box2d) WITHOUT FUNCTION AS ASSIGNMENT;
CREATE CAST (box2d AS pg_catalog.text) WITHOUT FUNCTION AS ASSIGNMENT;

CREATE TYPE box3d;
CREATE FUNCTION box3d_in(cstring) RETURNS box3d LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS 'textin';
CREATE FUNCTION box3d_out(box3d) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS 'textout';
CREATE FUNCTION box3d_recv(internal) RETURNS box3d LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS 'textrecv';
CREATE FUNCTION box3d_send(box3d) RETURNS bytea LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS 'textsend';

CREATE TYPE box3d (INPUT = box3d_in, OUTPUT = box3d_out, RECEIVE = box3d_recv, SEND = box3d_send, LIKE = pg_catalog.text);
CREATE CAST (pg_catalog.text AS box3d) WITHOUT FUNCTION AS ASSIGNMENT;
CREATE CAST (box3d AS pg_catalog.text) WITHOUT FUNCTION AS ASSIGNMENT;

CREATE CAST (geometry AS geography) WITHOUT FUNCTION AS IMPLICIT;
CREATE CAST (geography AS geometry) WITHOUT FUNCTION;

CREATE FUNCTION st_makepoint(float8, float8) RETURNS geometry LANGUAGE plpgsql VOLATILE STRICT PARALLEL SAFE AS
  $$ BEGIN PERFORM supavex.unavailable('st_makepoint()'); END $$;
CREATE FUNCTION st_makepoint(float8, float8, float8) RETURNS geometry LANGUAGE plpgsql VOLATILE STRICT PARALLEL SAFE AS
  $$ BEGIN PERFORM supavex.unavailable('st_makepoint()'); END $$;
CREATE FUNCTION st_point(float8, float8) RETURNS geometry LANGUAGE plpgsql VOLATILE STRICT PARALLEL SAFE AS
  $$ BEGIN PERFORM supavex.unavailable('st_point()'); END $$;
CREATE FUNCTION st_point(float8, float8, int4) RETURNS geometry LANGUAGE plpgsql VOLATILE STRICT PARALLEL SAFE AS
  $$ BEGIN PERFORM supavex.unavailable('st_point()'); END $$;
CREATE FUNCTION st_setsrid(geometry, int4) RETURNS geometry LANGUAGE plpgsql VOLATILE STRICT PARALLEL SAFE AS
  $$ BEGIN PERFORM supavex.unavailable('st_setsrid()'); END $$;
CREATE FUNCTION st_geomfromtext(text) RETURNS geometry LANGUAGE plpgsql VOLATILE STRICT PARALLEL SAFE AS
  $$ BEGIN PERFORM supavex.unavailable('st_geomfromtext()'); END $$;
CREATE FUNCTION st_geomfromtext(text, int4) RETURNS geometry LANGUAGE plpgsql VOLATILE STRICT PARALLEL SAFE AS
  $$ BEGIN PERFORM supavex.unavailable('st_geomfromtext()'); END $$;
CREATE FUNCTION st_geogfromtext(text) RETURNS geography LANGUAGE plpgsql VOLATILE STRICT PARALLEL SAFE AS
  $$ BEGIN PERFORM supavex.unavailable('st_geogfromtext()'); END $$;
CREATE FUNCTION st_geographyfromtext(text) RETURNS geography LANGUAGE plpgsql VOLATILE STRICT PARALLEL SAFE AS
  $$ BEGIN PERFORM supavex.unavailable('st_geographyfromtext()'); END $$;
CREATE FUNCTION st_geomfromgeojson(text) RETURNS geometry LANGUAGE plpgsql VOLATILE STRICT PARALLEL SAFE AS
  $$ BEGIN PERFORM supavex.unavailable('st_geomfromgeojson()'); END $$;
CREATE FUNCTION st_geomfromgeojson(jsonb) RETURNS geometry LANGUAGE plpgsql VOLATILE STRICT PARALLEL SAFE AS
  $$ BEGIN PERFORM supavex.unavailable('st_geomfromgeojson()'); END $$;
CREATE FUNCTION st_geomfromewkt(text) RETURNS geometry LANGUAGE plpgsql VOLATILE STRICT PARALLEL SAFE AS
  $$ BEGIN PERFORM supavex.unavailable('st_geomfromewkt()'); END $$;
CREATE FUNCTION st_geomfromwkb(bytea) RETURNS geometry LANGUAGE plpgsql VOLATILE STRICT PARALLEL SAFE AS
  $$ BEGIN PERFORM supavex.unavailable('st_geomfromwkb()'); END $$;
CREATE FUNCTION st_x(geometry) RETURNS float8 LANGUAGE plpgsql VOLATILE STRICT PARALLEL SAFE AS
  $$ BEGIN PERFORM supavex.unavailable('st_x()'); END $$;
CREATE FUNCTION st_y(geometry) RETURNS float8 LANGUAGE plpgsql VOLATILE STRICT PARALLEL SAFE AS
  $$ BEGIN PERFORM supavex.unavailable('st_y()'); END $$;
CREATE FUNCTION st_z(geometry) RETURNS float8 LANGUAGE plpgsql VOLATILE STRICT PARALLEL SAFE AS
  $$ BEGIN PERFORM supavex.unavailable('st_z()'); END $$;
CREATE FUNCTION st_srid(geometry) RETURNS int4 LANGUAGE plpgsql VOLATILE STRICT PARALLEL SAFE AS
  $$ BEGIN PERFORM supavex.unavailable('st_srid()'); END $$;
CREATE FUNCTION st_astext(geometry) RETURNS text LANGUAGE plpgsql VOLATILE STRICT PARALLEL SAFE AS
  $$ BEGIN PERFORM supavex.unavailable('st_astext()'); END $$;
CREATE FUNCTION st_astext(geography) RETURNS text LANGUAGE plpgsql VOLATILE STRICT PARALLEL SAFE AS
  $$ BEGIN PERFORM supavex.unavailable('st_astext()'); END $$;
CREATE FUNCTION st_asewkt(geometry) RETURNS text LANGUAGE plpgsql VOLATILE STRICT PARALLEL SAFE AS
  $$ BEGIN PERFORM supavex.unavailable('st_asewkt()'); END $$;
CREATE FUNCTION st_asgeojson(geometry) RETURNS text LANGUAGE plpgsql VOLATILE STRICT PARALLEL SAFE AS
  $$ BEGIN PERFORM supavex.unavailable('st_asgeojson()'); END $$;
CREATE FUNCTION st_asgeojson(geography) RETURNS text LANGUAGE plpgsql VOLATILE STRICT PARALLEL SAFE AS
  $$ BEGIN PERFORM supavex.unavailable('st_asgeojson()'); END $$;
CREATE FUNCTION st_asgeojson(geometry, int4) RETURNS text LANGUAGE plpgsql VOLATILE STRICT PARALLEL SAFE AS
  $$ BEGIN PERFORM supavex.unavailable('st_asgeojson()'); END $$;
CREATE FUNCTION st_asbinary(geometry) RETURNS bytea LANGUAGE plpgsql VOLATILE STRICT PARALLEL SAFE AS
  $$ BEGIN PERFORM supavex.unavailable('st_asbinary()'); END $$;
CREATE FUNCTION st_distance(geometry, geometry) RETURNS float8 LANGUAGE plpgsql VOLATILE STRICT PARALLEL SAFE AS
  $$ BEGIN PERFORM supavex.unavailable('st_distance()'); END $$;
CREATE FUNCTION st_distance(geography, geography) RETURNS float8 LANGUAGE plpgsql VOLATILE STRICT PARALLEL SAFE AS
  $$ BEGIN PERFORM supavex.unavailable('st_distance()'); END $$;
CREATE FUNCTION st_distancesphere(geometry, geometry) RETURNS float8 LANGUAGE plpgsql VOLATILE STRICT PARALLEL SAFE AS
  $$ BEGIN PERFORM supavex.unavailable('st_distancesphere()'); END $$;
CREATE FUNCTION st_dwithin(geometry, geometry, float8) RETURNS bool LANGUAGE plpgsql VOLATILE STRICT PARALLEL SAFE AS
  $$ BEGIN PERFORM supavex.unavailable('st_dwithin()'); END $$;
CREATE FUNCTION st_dwithin(geography, geography, float8) RETURNS bool LANGUAGE plpgsql VOLATILE STRICT PARALLEL SAFE AS
  $$ BEGIN PERFORM supavex.unavailable('st_dwithin()'); END $$;
CREATE FUNCTION st_within(geometry, geometry) RETURNS bool LANGUAGE plpgsql VOLATILE STRICT PARALLEL SAFE AS
  $$ BEGIN PERFORM supavex.unavailable('st_within()'); END $$;
CREATE FUNCTION st_contains(geometry, geometry) RETURNS bool LANGUAGE plpgsql VOLATILE STRICT PARALLEL SAFE AS
  $$ BEGIN PERFORM supavex.unavailable('st_contains()'); END $$;
CREATE FUNCTION st_covers(geometry, geometry) RETURNS bool LANGUAGE plpgsql VOLATILE STRICT PARALLEL SAFE AS
  $$ BEGIN PERFORM supavex.unavailable('st_covers()'); END $$;
CREATE FUNCTION st_covers(geography, geography) RETURNS bool LANGUAGE plpgsql VOLATILE STRICT PARALLEL SAFE AS
  $$ BEGIN PERFORM supavex.unavailable('st_covers()'); END $$;
CREATE FUNCTION st_coveredby(geometry, geometry) RETURNS bool LANGUAGE plpgsql VOLATILE STRICT PARALLEL SAFE AS
  $$ BEGIN PERFORM supavex.unavailable('st_coveredby()'); END $$;
CREATE FUNCTION st_intersects(geometry, geometry) RETURNS bool LANGUAGE plpgsql VOLATILE STRICT PARALLEL SAFE AS
  $$ BEGIN PERFORM supavex.unavailable('st_intersects()'); END $$;
CREATE FUNCTION st_intersects(geography, geography) RETURNS bool LANGUAGE plpgsql VOLATILE STRICT PARALLEL SAFE AS
  $$ BEGIN PERFORM supavex.unavailable('st_intersects()'); END $$;
CREATE FUNCTION st_overlaps(geometry, geometry) RETURNS bool LANGUAGE plpgsql VOLATILE STRICT PARALLEL SAFE AS
  $$ BEGIN PERFORM supavex.unavailable('st_overlaps()'); END $$;
CREATE FUNCTION st_touches(geometry, geometry) RETURNS bool LANGUAGE plpgsql VOLATILE STRICT PARALLEL SAFE AS
  $$ BEGIN PERFORM supavex.unavailable('st_touches()'); END $$;
CREATE FUNCTION st_equals(geometry, geometry) RETURNS bool LANGUAGE plpgsql VOLATILE STRICT PARALLEL SAFE AS
  $$ BEGIN PERFORM supavex.unavailable('st_equals()'); END $$;
CREATE FUNCTION st_isvalid(geometry) RETURNS bool LANGUAGE plpgsql VOLATILE STRICT PARALLEL SAFE AS
  $$ BEGIN PERFORM supavex.unavailable('st_isvalid()'); END $$;
CREATE FUNCTION st_isempty(geometry) RETURNS bool LANGUAGE plpgsql VOLATILE STRICT PARALLEL SAFE AS
  $$ BEGIN PERFORM supavex.unavailable('st_isempty()'); END $$;
CREATE FUNCTION st_geometrytype(geometry) RETURNS text LANGUAGE plpgsql VOLATILE STRICT PARALLEL SAFE AS
  $$ BEGIN PERFORM supavex.unavailable('st_geometrytype()'); END $$;
CREATE FUNCTION geometrytype(geometry) RETURNS text LANGUAGE plpgsql VOLATILE STRICT PARALLEL SAFE AS
  $$ BEGIN PERFORM supavex.unavailable('geometrytype()'); END $$;
CREATE FUNCTION st_area(geometry) RETURNS float8 LANGUAGE plpgsql VOLATILE STRICT PARALLEL SAFE AS
  $$ BEGIN PERFORM supavex.unavailable('st_area()'); END $$;
CREATE FUNCTION st_area(geography) RETURNS float8 LANGUAGE plpgsql VOLATILE STRICT PARALLEL SAFE AS
  $$ BEGIN PERFORM supavex.unavailable('st_area()'); END $$;
CREATE FUNCTION st_length(geometry) RETURNS float8 LANGUAGE plpgsql VOLATILE STRICT PARALLEL SAFE AS
  $$ BEGIN PERFORM supavex.unavailable('st_length()'); END $$;
CREATE FUNCTION st_length(geography) RETURNS float8 LANGUAGE plpgsql VOLATILE STRICT PARALLEL SAFE AS
  $$ BEGIN PERFORM supavex.unavailable('st_length()'); END $$;
CREATE FUNCTION st_perimeter(geometry) RETURNS float8 LANGUAGE plpgsql VOLATILE STRICT PARALLEL SAFE AS
  $$ BEGIN PERFORM supavex.unavailable('st_perimeter()'); END $$;
CREATE FUNCTION st_npoints(geometry) RETURNS int4 LANGUAGE plpgsql VOLATILE STRICT PARALLEL SAFE AS
  $$ BEGIN PERFORM supavex.unavailable('st_npoints()'); END $$;
CREATE FUNCTION st_centroid(geometry) RETURNS geometry LANGUAGE plpgsql VOLATILE STRICT PARALLEL SAFE AS
  $$ BEGIN PERFORM supavex.unavailable('st_centroid()'); END $$;
CREATE FUNCTION st_centroid(geography) RETURNS geography LANGUAGE plpgsql VOLATILE STRICT PARALLEL SAFE AS
  $$ BEGIN PERFORM supavex.unavailable('st_centroid()'); END $$;
CREATE FUNCTION st_buffer(geometry, float8) RETURNS geometry LANGUAGE plpgsql VOLATILE STRICT PARALLEL SAFE AS
  $$ BEGIN PERFORM supavex.unavailable('st_buffer()'); END $$;
CREATE FUNCTION st_buffer(geography, float8) RETURNS geography LANGUAGE plpgsql VOLATILE STRICT PARALLEL SAFE AS
  $$ BEGIN PERFORM supavex.unavailable('st_buffer()'); END $$;
CREATE FUNCTION st_envelope(geometry) RETURNS geometry LANGUAGE plpgsql VOLATILE STRICT PARALLEL SAFE AS
  $$ BEGIN PERFORM supavex.unavailable('st_envelope()'); END $$;
CREATE FUNCTION st_makeenvelope(float8, float8, float8, float8) RETURNS geometry LANGUAGE plpgsql VOLATILE STRICT PARALLEL SAFE AS
  $$ BEGIN PERFORM supavex.unavailable('st_makeenvelope()'); END $$;
CREATE FUNCTION st_makeenvelope(float8, float8, float8, float8, int4) RETURNS geometry LANGUAGE plpgsql VOLATILE STRICT PARALLEL SAFE AS
  $$ BEGIN PERFORM supavex.unavailable('st_makeenvelope()'); END $$;
CREATE FUNCTION st_transform(geometry, int4) RETURNS geometry LANGUAGE plpgsql VOLATILE STRICT PARALLEL SAFE AS
  $$ BEGIN PERFORM supavex.unavailable('st_transform()'); END $$;
CREATE FUNCTION st_makeline(geometry, geometry) RETURNS geometry LANGUAGE plpgsql VOLATILE STRICT PARALLEL SAFE AS
  $$ BEGIN PERFORM supavex.unavailable('st_makeline()'); END $$;
CREATE FUNCTION st_makepolygon(geometry) RETURNS geometry LANGUAGE plpgsql VOLATILE STRICT PARALLEL SAFE AS
  $$ BEGIN PERFORM supavex.unavailable('st_makepolygon()'); END $$;
CREATE FUNCTION st_union(geometry, geometry) RETURNS geometry LANGUAGE plpgsql VOLATILE STRICT PARALLEL SAFE AS
  $$ BEGIN PERFORM supavex.unavailable('st_union()'); END $$;
CREATE FUNCTION st_intersection(geometry, geometry) RETURNS geometry LANGUAGE plpgsql VOLATILE STRICT PARALLEL SAFE AS
  $$ BEGIN PERFORM supavex.unavailable('st_intersection()'); END $$;
CREATE FUNCTION st_difference(geometry, geometry) RETURNS geometry LANGUAGE plpgsql VOLATILE STRICT PARALLEL SAFE AS
  $$ BEGIN PERFORM supavex.unavailable('st_difference()'); END $$;
CREATE FUNCTION st_simplify(geometry, float8) RETURNS geometry LANGUAGE plpgsql VOLATILE STRICT PARALLEL SAFE AS
  $$ BEGIN PERFORM supavex.unavailable('st_simplify()'); END $$;
CREATE FUNCTION st_makevalid(geometry) RETURNS geometry LANGUAGE plpgsql VOLATILE STRICT PARALLEL SAFE AS
  $$ BEGIN PERFORM supavex.unavailable('st_makevalid()'); END $$;
CREATE FUNCTION st_multi(geometry) RETURNS geometry LANGUAGE plpgsql VOLATILE STRICT PARALLEL SAFE AS
  $$ BEGIN PERFORM supavex.unavailable('st_multi()'); END $$;
CREATE FUNCTION st_force2d(geometry) RETURNS geometry LANGUAGE plpgsql VOLATILE STRICT PARALLEL SAFE AS
  $$ BEGIN PERFORM supavex.unavailable('st_force2d()'); END $$;
CREATE FUNCTION st_convexhull(geometry) RETURNS geometry LANGUAGE plpgsql VOLATILE STRICT PARALLEL SAFE AS
  $$ BEGIN PERFORM supavex.unavailable('st_convexhull()'); END $$;
CREATE FUNCTION st_pointonsurface(geometry) RETURNS geometry LANGUAGE plpgsql VOLATILE STRICT PARALLEL SAFE AS
  $$ BEGIN PERFORM supavex.unavailable('st_pointonsurface()'); END $$;
CREATE FUNCTION st_startpoint(geometry) RETURNS geometry LANGUAGE plpgsql VOLATILE STRICT PARALLEL SAFE AS
  $$ BEGIN PERFORM supavex.unavailable('st_startpoint()'); END $$;
CREATE FUNCTION st_endpoint(geometry) RETURNS geometry LANGUAGE plpgsql VOLATILE STRICT PARALLEL SAFE AS
  $$ BEGIN PERFORM supavex.unavailable('st_endpoint()'); END $$;
CREATE FUNCTION st_azimuth(geometry, geometry) RETURNS float8 LANGUAGE plpgsql VOLATILE STRICT PARALLEL SAFE AS
  $$ BEGIN PERFORM supavex.unavailable('st_azimuth()'); END $$;
CREATE FUNCTION st_closestpoint(geometry, geometry) RETURNS geometry LANGUAGE plpgsql VOLATILE STRICT PARALLEL SAFE AS
  $$ BEGIN PERFORM supavex.unavailable('st_closestpoint()'); END $$;
CREATE FUNCTION st_xmin(geometry) RETURNS float8 LANGUAGE plpgsql VOLATILE STRICT PARALLEL SAFE AS
  $$ BEGIN PERFORM supavex.unavailable('st_xmin()'); END $$;
CREATE FUNCTION st_ymin(geometry) RETURNS float8 LANGUAGE plpgsql VOLATILE STRICT PARALLEL SAFE AS
  $$ BEGIN PERFORM supavex.unavailable('st_ymin()'); END $$;
CREATE FUNCTION st_xmax(geometry) RETURNS float8 LANGUAGE plpgsql VOLATILE STRICT PARALLEL SAFE AS
  $$ BEGIN PERFORM supavex.unavailable('st_xmax()'); END $$;
CREATE FUNCTION st_ymax(geometry) RETURNS float8 LANGUAGE plpgsql VOLATILE STRICT PARALLEL SAFE AS
  $$ BEGIN PERFORM supavex.unavailable('st_ymax()'); END $$;
CREATE FUNCTION st_hexagongrid(float8, geometry) RETURNS geometry LANGUAGE plpgsql VOLATILE STRICT PARALLEL SAFE AS
  $$ BEGIN PERFORM supavex.unavailable('st_hexagongrid()'); END $$;
CREATE FUNCTION st_geohash(geometry) RETURNS text LANGUAGE plpgsql VOLATILE STRICT PARALLEL SAFE AS
  $$ BEGIN PERFORM supavex.unavailable('st_geohash()'); END $$;
CREATE FUNCTION st_geohash(geometry, int4) RETURNS text LANGUAGE plpgsql VOLATILE STRICT PARALLEL SAFE AS
  $$ BEGIN PERFORM supavex.unavailable('st_geohash()'); END $$;
CREATE FUNCTION st_asmvtgeom(geometry, box2d) RETURNS geometry LANGUAGE plpgsql VOLATILE STRICT PARALLEL SAFE AS
  $$ BEGIN PERFORM supavex.unavailable('st_asmvtgeom()'); END $$;
CREATE FUNCTION postgis_version() RETURNS text LANGUAGE plpgsql VOLATILE STRICT PARALLEL SAFE AS
  $$ BEGIN PERFORM supavex.unavailable('postgis_version()'); END $$;
CREATE FUNCTION postgis_full_version() RETURNS text LANGUAGE plpgsql VOLATILE STRICT PARALLEL SAFE AS
  $$ BEGIN PERFORM supavex.unavailable('postgis_full_version()'); END $$;
