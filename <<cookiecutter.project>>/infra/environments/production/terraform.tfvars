name = "<< cookiecutter.project >>"
port = 8102
