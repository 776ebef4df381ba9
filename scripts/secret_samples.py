"""Texts with and without secrets: what the kernel's and the panel's patterns are held against."""

from __future__ import annotations

R = "[redacted]"

# Put together here, so that nobody who looks for keys finds any in this file.
OPENAI = "sk-" + "proj-abcDEF0123456789abcDEF"
GITHUB = "ghp" + "_0123456789abcdefABCDEF0123456789abcd"
AMAZON = "AKIA" + "IOSFODNN7EXAMPLE"
AMAZON_SECRET = "wJalrXUtnFEMI/K7MDENG" + "/bPxRfiCYEXAMPLEKEY"
JWT = "eyJ" + "hbGciOiJIUzI1NiJ9.eyJ" + "zdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N"
PEM = "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\nIBAAK\n-----END RSA PRIVATE KEY-----"
PGP = "-----BEGIN PGP PRIVATE KEY BLOCK-----\nlQOY\n-----END PGP PRIVATE KEY BLOCK-----"
HEX = "0123456789abcdef" * 2

SECRETS = (
    # Known by their form.
    (f"key {OPENAI} end", f"key {R} end"),
    (GITHUB, R),
    (f"['{AMAZON}', 2]", f"['{R}', 2]"),
    (JWT, R),
    (f"a\n{PEM}\nb", f"a\n{R}\nb"),
    (PEM[:50], R),
    (f"{PGP}\nb", f"{R}\nb"),
    # In headers and addresses.
    ("Authorization: Bearer abcdef0123456789", f"Authorization: Bearer {R}"),
    ("Authorization: Basic QWxhZGRpbjpv", f"Authorization: Basic {R}"),
    ("X-Api-Key: correct-horse", f"X-Api-Key: {R}"),
    ('curl -H "X-Api-Key: abc123def" x', f'curl -H "X-Api-Key: {R}" x'),
    ("postgresql://ada:hunter2@db/x", f"postgresql://ada:{R}@db/x"),
    ("postgresql://ada:p@ss@db/x", f"postgresql://ada:{R}@db/x"),
    ("redis://:hunter2@cache", f"redis://:{R}@cache"),
    (f"http://localhost:8888/lab?token={HEX}", f"http://localhost:8888/lab?token={R}"),
    # Between quotes.
    ("{'password': 'hunter2', 'n': 1}", f"{{'password': '{R}', 'n': 1}}"),
    ('{"api_key": "x y"}', f'{{"api_key": "{R}"}}'),
    ("User(name='ada', db_password='x\\'y')", f"User(name='ada', db_password='{R}')"),
    ('password: str = "hunter"', f'password: str = "{R}"'),
    ("config['password'] = 'hunter'", f"config['password'] = '{R}'"),
    ('os.environ["API_KEY"] = "hunter"', f'os.environ["API_KEY"] = "{R}"'),
    ('if password == "hunter":', f'if password == "{R}":'),
    ('body = "{\\"password\\": \\"hunter\\"}"', f'body = "{{\\"password\\": \\"{R}\\"}}"'),
    ('password = """hunter"""', f'password = """{R}"""'),
    ("accessToken: 'hunter'", f"accessToken: '{R}'"),
    ("{userPassword: 'hunter'}", f"{{userPassword: '{R}'}}"),
    (f'{{"token": "{HEX}"}}', f'{{"token": "{R}"}}'),
    ("token = 'tok-hunter2secret'", f"token = '{R}'"),
    ("{'password': ['a', 'b'], 'n': 1}", f"{{'password': [{R}], 'n': 1}}"),
    ("{'password': {0: 'a]', 1: 'b'}, 'n': 1}", f"{{'password': {{{R}}}, 'n': 1}}"),
    # Without quotes.
    ("SECRET_KEY=abcd1234\nDEBUG=1", f"SECRET_KEY={R}\nDEBUG=1"),
    ("export HF_TOKEN=abcd1234", f"export HF_TOKEN={R}"),
    ("DEBUG=1\ndb_password=correcthorse", f"DEBUG=1\ndb_password={R}"),
    ("TOKEN=correcthorse", f"TOKEN={R}"),
    (f"token: {HEX}", f"token: {R}"),
    (f"aws_secret_access_key = {AMAZON_SECRET}", f"aws_secret_access_key = {R}"),
    ("db:\n  password: hunter2secret\n", f"db:\n  password: {R}\n"),
    ("db:\n  password: correcthorse  # old\n", f"db:\n  password: {R}  # old\n"),
    ("host=db password=hunter dbname=x", f"host=db password={R} dbname=x"),
    ("'host=db password=hunter'", f"'host=db password={R}'"),
    ("Server=db;User Id=sa;Password=hunter;", f"Server=db;User Id=sa;Password={R};"),
)

NO_SECRETS = (
    "max_tokens=500, tokens: ['a', 'b']",
    "{'token': 'Hello', 'tokens': 'many'}",
    "token: count",
    "the token = a piece of a word",
    "{'token': 'understanding', 'score': 0.3}",
    "pad_token='[PAD]', eos_token='<|reserved_special_token_0|>'",
    "token = self.tokenizer.convert_ids_to_tokens(ids)",
    "the password is asked for: see below",
    "the password is checked",
    "password: required",
    "    password: str\n    token: str\n",
    "def login(password: str, token=None):",
    "login(user=user, password=password)",
    "password = getpass.getpass('Password: ')",
    'print("Password:", user, "is known")',
    "api_key=os.environ['OPENAI_API_KEY'],",
    "api_key = settings.api_key",
    "password=${DB_PASSWORD}",
    "f'postgresql://{user}:{password}@{host}/x'",
    '{"password": {"type": "string", "minLength": 8}}',
    "passwords = load(path)",
    "PWD=/home/ada",
    "https://example.com/a:b?c=d@e",
    "task-list, risk-taking, sk-learn",
    "df['secretary'] = 'Ada'",
    "basic knowledge",
    "a basic understanding",
    "2026-11-26 05:00:00",
)
