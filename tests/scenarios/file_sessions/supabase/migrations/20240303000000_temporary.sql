BEGIN;
CREATE TEMPORARY TABLE prices ON COMMIT DROP AS SELECT 1 AS plant, 250 AS cents;
UPDATE plants SET cents = prices.cents FROM prices WHERE plants.id = prices.plant;
COMMIT;
DO $$ BEGIN ASSERT pg_catalog.to_regclass('pg_temp.prices') IS NULL; END $$;
