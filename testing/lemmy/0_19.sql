-- What Portcullis reads of Lemmy 0.19.4 and newer, and no more.
CREATE TABLE site (id serial PRIMARY KEY, name varchar(20) NOT NULL, sidebar text, icon text, banner text,
  description varchar(150), actor_id varchar(255) NOT NULL UNIQUE, content_warning text, private_key text);
CREATE TABLE local_site (id serial PRIMARY KEY, site_id integer NOT NULL UNIQUE REFERENCES site,
  application_question text, legal_information text);
CREATE TABLE person (id serial PRIMARY KEY, name varchar(255) NOT NULL, local boolean NOT NULL DEFAULT true, avatar text, banner text,
  bio text, private_key text);
CREATE TABLE local_user (id serial PRIMARY KEY, person_id integer NOT NULL REFERENCES person ON DELETE CASCADE, password_encrypted text);
CREATE TABLE community (id serial PRIMARY KEY, name varchar(255) NOT NULL, description text, icon text, banner text);
CREATE TABLE post (id serial PRIMARY KEY, name varchar(200) NOT NULL DEFAULT 'a post', url varchar(2000), body text,
  creator_id integer NOT NULL DEFAULT 1 REFERENCES person ON DELETE CASCADE, published timestamptz NOT NULL DEFAULT now(),
  thumbnail_url text, ap_id varchar(255) NOT NULL UNIQUE, local boolean NOT NULL DEFAULT true, url_content_type text);
CREATE TABLE comment (id serial PRIMARY KEY, post_id integer, content text NOT NULL);
CREATE TABLE private_message (id serial PRIMARY KEY, content text NOT NULL);
CREATE TABLE tagline (id serial PRIMARY KEY, content text NOT NULL);
CREATE TABLE custom_emoji (id serial PRIMARY KEY, shortcode varchar(128) NOT NULL DEFAULT 'e', image_url text NOT NULL UNIQUE);
CREATE TABLE post_report (id serial PRIMARY KEY, original_post_url text, original_post_body text);
CREATE TABLE comment_report (id serial PRIMARY KEY, original_comment_text text NOT NULL);
CREATE TABLE private_message_report (id serial PRIMARY KEY, original_pm_text text NOT NULL);
CREATE TABLE local_image (pictrs_alias text PRIMARY KEY, local_user_id integer REFERENCES local_user ON DELETE CASCADE,
  pictrs_delete_token text NOT NULL, published timestamptz NOT NULL DEFAULT now());
CREATE TABLE remote_image (link text PRIMARY KEY, published timestamptz NOT NULL DEFAULT now());
CREATE TABLE image_details (link text PRIMARY KEY, width integer NOT NULL, height integer NOT NULL, content_type text NOT NULL);

-- Another site's row comes first, as it may.
INSERT INTO site (name, actor_id) VALUES ('other', 'https://other.example/'), ('ours', 'https://lemmy.example/');
INSERT INTO local_site (site_id) VALUES (2);
INSERT INTO person (name, local) VALUES ('alice', true), ('bob', false);
INSERT INTO local_user (person_id) VALUES (1);
