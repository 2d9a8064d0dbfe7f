name = "<< cookiecutter.project >>"
port = 8101
