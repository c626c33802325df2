-- Fills tables made by 0_19.sql or 1_0.sql with as many pictures as wanted, as a large site has them:
--
--   psql -v pictures=1000000 -f testing/lemmy/0_19.sql -f testing/lemmy/million.sql DATABASE
--
-- Of 100 posts 80 are remote ones with a thumbnail (60 of pictures, 20 of pages), 5 are of a user's upload with a thumbnail
-- of its own, 15 have none. Every tenth thumbnail stands in a comment as well and every thousandth is an avatar, so those are
-- not to be given out. `pictures` is the number of posts; there are ten comments for each, of 200 characters or more.
-- Aliases are md5 sums of post numbers, so that others can make the same: alias_of(N) and upload_of(N).
\if :{?pictures}
\else
\set pictures 1000000
\endif
SELECT count(*) > 0 AS is_0_19 FROM pg_attribute WHERE attrelid = 'local_image'::regclass AND attname = 'pictrs_delete_token' \gset

CREATE FUNCTION alias_of(n integer) RETURNS text IMMUTABLE LANGUAGE sql AS $$ SELECT md5('thumbnail ' || n)::uuid || '.jpeg' $$;
CREATE FUNCTION upload_of(n integer) RETURNS text IMMUTABLE LANGUAGE sql AS $$ SELECT md5('upload ' || n)::uuid || '.jpeg' $$;
-- 'picture', 'page', 'upload' or 'text'
CREATE FUNCTION kind_of(n integer) RETURNS text IMMUTABLE LANGUAGE sql AS
  $$ SELECT CASE WHEN n % 100 < 60 THEN 'picture' WHEN n % 100 < 80 THEN 'page' WHEN n % 100 < 85 THEN 'upload' ELSE 'text' END $$;

INSERT INTO post (id, name, url, body, creator_id, thumbnail_url, ap_id, local, url_content_type)
SELECT n, 'Post ' || n,
  CASE kind_of(n) WHEN 'picture' THEN 'https://other.example/pictures/' || n || '.jpg' WHEN 'page' THEN 'https://news.example/article/' || n
    WHEN 'upload' THEN 'https://lemmy.example/pictrs/image/' || upload_of(n) END,
  CASE WHEN n % 3 = 0 THEN 'Something to say. ' || repeat(md5(n::text), 20) END,
  CASE kind_of(n) WHEN 'upload' THEN 1 ELSE 2 END,
  CASE WHEN kind_of(n) <> 'text' THEN 'https://lemmy.example/pictrs/image/' || alias_of(n) END,
  'https://other.example/post/' || n, kind_of(n) = 'upload',
  CASE kind_of(n) WHEN 'page' THEN 'text/html' WHEN 'text' THEN NULL ELSE 'image/jpeg' END
FROM generate_series(1, :pictures) n;

\if :is_0_19
INSERT INTO local_image (pictrs_alias, local_user_id, pictrs_delete_token, published)
SELECT alias_of(n), NULL, md5('token ' || n)::uuid, now() - interval '1 day' FROM generate_series(1, :pictures) n WHERE kind_of(n) <> 'text'
UNION ALL
SELECT upload_of(n), 1, md5('token ' || n)::uuid, now() - interval '1 day' FROM generate_series(1, :pictures) n WHERE kind_of(n) = 'upload';
\else
INSERT INTO local_image (pictrs_alias, person_id, thumbnail_for_post_id, published_at)
SELECT alias_of(n), CASE kind_of(n) WHEN 'upload' THEN 1 ELSE 2 END, n, now() - interval '1 day' FROM generate_series(1, :pictures) n WHERE kind_of(n) <> 'text'
UNION ALL
SELECT upload_of(n), 1, NULL, now() - interval '1 day' FROM generate_series(1, :pictures) n WHERE kind_of(n) = 'upload';
\endif

INSERT INTO image_details (link, width, height, content_type)
SELECT 'https://lemmy.example/pictrs/image/' || alias_of(n), 512, 384, 'image/jpeg' FROM generate_series(1, :pictures) n WHERE kind_of(n) <> 'text';

INSERT INTO comment (post_id, content)
SELECT n, CASE WHEN i = 1 AND n % 10 = 1 THEN 'Look: ![](https://lemmy.example/pictrs/image/' || alias_of(n) || ') ' ELSE 'A comment. ' END
  || repeat(md5((n * 10 + i)::text), 6)
FROM generate_series(1, :pictures) n, generate_series(1, 10) i;

INSERT INTO person (name, local, avatar)
SELECT 'p' || n, false, CASE WHEN n % 100 = 0 THEN 'https://lemmy.example/pictrs/image/' || alias_of(n * 10) ELSE 'https://other.example/avatar/' || n END
FROM generate_series(1, :pictures / 10) n;

INSERT INTO remote_image (link) SELECT 'https://other.example/announced/' || md5(n::text) || '.jpg' FROM generate_series(1, :pictures) n;

ANALYZE;
